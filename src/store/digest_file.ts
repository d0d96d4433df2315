/**
 * The digest of a file that is there already.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { createHasher, type DigestEngine, formatDigest } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { readPiece } from "../files.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { storageError } from "../system_error.ts";

/** Bytes after which signals get their turn. */
const TURN_BYTES = 4 * 1024 * 1024;

/**
 * Computes the digest of a range of a file, or of what there is of it.
 *
 * @throws {LayerfsError} `interrupted`, or as `openRegularFile`
 */
export async function digestFile(
  { path, offset, length }: BlobLocation,
  algorithm: DigestAlgorithm,
  { engine, signal }: { readonly engine: DigestEngine; readonly signal: AbortSignal },
): Promise<Digest> {
  const hasher = createHasher(algorithm, engine);
  const { file } = openRegularFile(path);
  try {
    for (let done = 0, turn = TURN_BYTES; done < length;) {
      const { window } = hasher;
      const wanted = Math.min(window.length, length - done);
      const count = readPiece(file, window.subarray(0, wanted), offset + done);
      if (count === 0) break;
      hasher.update(window.subarray(0, count));
      done += count;
      if (done < turn && done < length) continue;
      turn = done + TURN_BYTES;
      await new Promise((resolve) => setTimeout(resolve));
      if (signal.aborted) {
        throw new LayerfsError("interrupted", `Cannot read "${path}": interrupted`);
      }
    }
    return formatDigest(algorithm, hasher.digest());
  } catch (error) {
    throw storageError(error, `Cannot read "${path}"`);
  } finally {
    file.close();
  }
}
