/**
 * Where the bytes of a blob came from, for errors about them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type BlobContent, isLocation } from "./content.ts";

/** What to do about bytes of a registry that are not what they should be. */
export const DAMAGED = "it is damaged there, or by a proxy on its way; push it there anew";

/**
 * An error about a digest with the repository that the bytes came from.
 *
 * @returns other errors, and those about a file, as they are
 */
export function withOrigin(error: unknown, content: BlobContent | Uint8Array): unknown {
  if (!(error instanceof LayerfsError) || error.code !== "digest-mismatch") return error;
  if (content instanceof Uint8Array || isLocation(content)) return error;
  const origin = content.origin?.();
  if (origin === undefined) return error;
  const { registry, repository } = origin;
  const message = `${error.message}; it came from ${registry}/${repository}: ${DAMAGED}`;
  return new LayerfsError(error.code, message, { registry, repository, ...error.data }, {
    cause: error,
  });
}
