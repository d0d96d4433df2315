/**
 * An image by its name alone: one of the store, else one of the registry that the name implies.
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import { LayerfsError, within } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { ImageName } from "../oci/reference.ts";
import type { DescriptorSource } from "./source.ts";

/** When a registry is asked: where the store has no image of that name, in any case, or not at all. */
export type PullPolicy = "missing" | "always" | "never";

/** Where an image of that name may be, in order; each is opened only when it is its turn. */
export type Candidates = readonly [
  () => Promise<DescriptorSource>,
  ...(readonly (() => Promise<DescriptorSource>)[]),
];

/** The first of several sources that has the image. */
export class NameSource implements DescriptorSource {
  /** Which of the two kinds of source this is. */
  readonly kind = "oci";
  readonly #candidates: Candidates;
  readonly #name: string;
  #chosen: DescriptorSource | null = null;

  /** @param name as it was typed */
  constructor(name: string, candidates: Candidates) {
    this.#name = name;
    this.#candidates = candidates;
  }

  /** Of the source that has the image; the bare name before {@linkcode index} has found that. */
  get reference(): string {
    return this.#chosen?.reference ?? this.#name;
  }

  /** Of the source that has the image. */
  get registry(): ImageName | null {
    return this.#chosen?.registry ?? null;
  }

  async index(): Promise<readonly Descriptor[]> {
    if (this.#chosen !== null) return await this.#chosen.index();
    const absences: LayerfsError[] = [];
    for (const open of this.#candidates) {
      try {
        const candidate = await open();
        this.#chosen = candidate;
        return await candidate.index();
      } catch (error) {
        await this.close();
        const isAbsent = error instanceof LayerfsError && error.code === "not-found";
        if (!isAbsent || absences.length === this.#candidates.length - 1) {
          throw absences.length === 0
            ? error
            : within(error, `Cannot find image "${this.#name}" in the store`);
        }
        absences.push(error);
      }
    }
    throw new TypeError("there is a candidate, and the last one has returned or thrown");
  }

  async document(descriptor: Descriptor): Promise<Uint8Array> {
    return await this.#found().document(descriptor);
  }

  locate(descriptor: Descriptor): BlobContent {
    return this.#found().locate(descriptor);
  }

  async close(): Promise<void> {
    await this.#chosen?.close();
    this.#chosen = null;
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #found(): DescriptorSource {
    if (this.#chosen !== null) return this.#chosen;
    throw new TypeError("what a source has is asked for after its index");
  }
}
