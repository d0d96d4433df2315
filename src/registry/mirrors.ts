/**
 * One question to several registries, until one has the answer.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/**
 * Failures after which another registry is asked. What fails verification is none of them: an error
 * like that is to be seen.
 */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  "not-found",
  "unreachable",
  "unauthorized",
  "registry-invalid",
]);

/** Whether another registry may do better. */
export function mayBeElsewhere(error: unknown): error is LayerfsError {
  return error instanceof LayerfsError && ELSEWHERE.has(error.code);
}

/**
 * The answer of the first connection that has one.
 *
 * @throws {LayerfsError} of the last connection, the registry itself, with what its mirrors said
 */
export async function firstOf<T>(
  connections: readonly Connection[],
  ask: (connection: Connection) => Promise<T>,
): Promise<T> {
  const failures: LayerfsError[] = [];
  for (const connection of connections) {
    try {
      return await ask(connection);
    } catch (error) {
      if (!mayBeElsewhere(error)) throw error;
      failures.push(error);
    }
  }
  throw allFailed(failures);
}

/** The last of several failures, with the others behind it. */
export function allFailed(failures: readonly LayerfsError[]): LayerfsError {
  const last = failures.at(-1);
  if (last === undefined) throw new TypeError("Cannot ask a registry: there is none");
  if (failures.length === 1) return last;
  const others = failures.slice(0, -1).map(({ message }) => message).join("; ");
  return new LayerfsError(
    last.code,
    `${last.message}; its mirrors failed before: ${others}`,
    last.data,
  );
}
