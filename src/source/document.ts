/**
 * Small blobs, read whole: the cap first, then the size, then the digest.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { storageError } from "../system_error.ts";

/**
 * Reads a range of a regular file into memory.
 *
 * @param what the document, as messages name it
 * @throws {LayerfsError} `image-invalid` where it is larger than a document may be, or ends early
 */
export function readDocument(location: BlobLocation, what: string): Uint8Array {
  checkCap(location.length, what);
  const { file } = openRegularFile(location.path);
  return readOpen(file, location, what);
}

/** Reads a range of an open file, and closes it. */
function readOpen(file: Deno.FsFile, location: BlobLocation, what: string): Uint8Array {
  try {
    checkCap(location.length, what);
    const bytes = new Uint8Array(location.length);
    if (readAt(file, bytes, location.offset) === bytes.length) return bytes;
    throw new LayerfsError("size-mismatch", `Cannot read ${what}: "${location.path}" ends early`);
  } catch (error) {
    throw storageError(error, `Cannot read ${what}`);
  } finally {
    file.close();
  }
}

/** Replacements in a row that {@linkcode readReplaceable} bears: each takes a sync to disk. */
const MAX_REPLACEMENTS = 1000;

/**
 * Reads a file that others replace by renaming a new one to its name, as index.json is: one of them
 * whole, never the beginning of one by the length of another.
 *
 * @param locate finds it; asked again where it was replaced meanwhile
 * @returns null where there is none
 * @throws {LayerfsError} as {@linkcode readDocument}
 */
export function readReplaceable(
  locate: () => BlobLocation | null,
  what: string,
): Uint8Array | null {
  for (let replacements = 0;; replacements++) {
    const location = locate();
    if (location === null) return null;
    // A range of an archive: nobody replaces that.
    if (location.offset > 0) return readDocument(location, what);
    try {
      const { path } = location;
      const { file, size } = openRegularFile(path);
      return readOpen(file, { path, offset: 0, length: size }, what);
    } catch (error) {
      const replaced = error instanceof LayerfsError && error.code === "conflict";
      if (!replaced || replacements === MAX_REPLACEMENTS) throw error;
    }
  }
}

/**
 * The content of `descriptor`: what it embeds, or what `locate` finds.
 *
 * @throws {LayerfsError} `image-invalid` beyond the cap, `unsupported` for a digest that layerfs
 * does not compute, `size-mismatch`, `digest-mismatch`
 */
export function readVerified(
  descriptor: Descriptor,
  locate: (descriptor: Descriptor) => BlobLocation,
): Uint8Array {
  const { digest, size, data } = descriptor;
  const algorithm = digestAlgorithm(digest);
  checkCap(size, digest);
  // What is embedded must be identical to the content (descriptor.md), so one wrong byte is an
  // error even where the blob itself is right.
  const what = data === undefined ? digest : `the data embedded for ${digest}`;
  const bytes = data ?? readDocument(locate(descriptor), digest);
  if (bytes.length !== size) throw wrongSize(what, size, bytes.length);
  const found = digestBytes(bytes, algorithm);
  if (found === digest) return bytes;
  throw new LayerfsError("digest-mismatch", `Cannot verify ${what}: digest is "${found}"`, {
    digest,
    found,
  });
}

/** The error for content that is not as long as its descriptor says. */
export function wrongSize(what: string, size: number, found: number): LayerfsError {
  return new LayerfsError(
    "size-mismatch",
    `Cannot verify ${what}: it has ${found} bytes, its descriptor says ${size}`,
    { size, found },
  );
}

function checkCap(size: number, what: string): void {
  if (size <= MAX_DOCUMENT_BYTES) return;
  throw new LayerfsError(
    "image-invalid",
    `Cannot read ${what}: it has ${size} bytes; a document has ${MAX_DOCUMENT_BYTES} at most`,
  );
}
