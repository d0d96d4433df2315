/**
 * Work on many things, of which one that cannot be done stops no other one.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../errors.ts";

/** Those of one thing. Anything else would be the same with the next one, such as a missing pool. */
const ABOUT_ONE: readonly ErrorCode[] = ["busy", "conflict", "storage", "storage-full"];

/** How many others the message of an error names. */
const NAMED = 3;

/** What could not be done. */
export class Refusals {
  readonly #errors = new Map<string, LayerfsError>();

  /**
   * Does one piece of work.
   *
   * @param subject what it is about, as in `layer sha256:…`; a second try of it replaces the first
   * @returns whether it could be done
   * @throws what is not about this subject alone
   */
  async attempt(subject: string, work: () => Promise<unknown> | unknown): Promise<boolean> {
    this.#errors.delete(subject);
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof LayerfsError) || !ABOUT_ONE.includes(error.code)) throw error;
      this.#errors.set(subject, error);
      return false;
    }
  }

  /**
   * Throws the first refusal, if there is one; its `failures` are all of them.
   *
   * @throws {LayerfsError} `busy`, `conflict`, `storage`, `storage-full`
   */
  throwFirst(): void {
    const [first, ...others] = this.#errors.values();
    if (first === undefined) return;
    const subjects = [...this.#errors.keys()].slice(1);
    const named = subjects.slice(0, NAMED).join(", ") + (subjects.length > NAMED ? ", …" : "");
    const more = others.length === 0
      ? ""
      : `; ${others.length} more stay for other reasons: ${named}`;
    const message = `${first.message}${more}; what does not depend on that is removed`;
    const failures = [...this.#errors].map(([subject, { code, message }]) => {
      return { subject, code, message };
    });
    throw new LayerfsError(first.code, message, { ...first.data, failures }, { cause: first });
  }
}
