/**
 * Bytes on their way to a place that cannot take them back: a registry, an archive.
 *
 * @module
 */

import { type BlobContent, readContent } from "../blob/content.ts";
import { withOrigin } from "../blob/origin.ts";
import { createHasher, type DigestEngine, formatDigest } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { wrongSize } from "../source/document.ts";

/** How bytes are verified on their way. */
export interface VerifyOptions {
  /** What computes the digest. */
  readonly engine: DigestEngine;
  /** Ends the iteration with an error. */
  readonly signal?: AbortSignal;
  /** Takes the number of bytes of each piece; must not throw. */
  readonly onBytes?: (delta: number) => void;
}

/**
 * All bytes of a blob, in pieces that are the caller's to keep. The last piece comes only when size
 * and digest are found right: whoever writes what comes has never all of a wrong blob.
 *
 * @throws {LayerfsError} `digest-mismatch`, `size-mismatch`, `interrupted`, `unsupported` for a
 * digest that layerfs does not compute, and what reading throws
 */
export async function* verifiedPieces(
  content: BlobContent | Uint8Array,
  { digest, size }: Descriptor,
  { engine, signal, onBytes }: VerifyOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const hasher = createHasher(digestAlgorithm(digest), engine);
  let held: Uint8Array<ArrayBuffer> | null = null;
  let bytes = 0;
  for await (const piece of piecesOf(content, digest, signal)) {
    if (piece.length === 0) continue;
    bytes += piece.length;
    if (bytes > size) throw wrongSize(digest, size, bytes);
    hasher.update(piece);
    if (held !== null) yield held;
    held = piece;
    onBytes?.(piece.length);
  }
  if (bytes < size) throw wrongSize(digest, size, bytes);
  const found = formatDigest(hasher.algorithm, hasher.digest());
  if (found !== digest) {
    const message = `Cannot verify ${digest}: digest is "${found}"`;
    throw withOrigin(new LayerfsError("digest-mismatch", message, { digest, found }), content);
  }
  if (held !== null) yield held;
}

async function* piecesOf(
  content: BlobContent | Uint8Array,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (content instanceof Uint8Array) return yield new Uint8Array(content);
  // Who sends them keeps them for longer than they are valid.
  for await (const piece of readContent(content, what, signal)) yield new Uint8Array(piece);
}
