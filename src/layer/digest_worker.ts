/**
 * The thread that computes the digests of tar streams.
 *
 * @module
 */

import { createHasher, formatDigest } from "../core/hasher.ts";
import type { Digest } from "../oci/digest.ts";
import { type DigestMessage, type DigestRequest, isInterruption } from "./messages.ts";
import { DIGEST_READER, RING_BYTES, RingReader } from "./ring.ts";

declare const self: {
  onmessage: ((event: MessageEvent<DigestRequest>) => void) | null;
  postMessage(message: DigestMessage): void;
};

self.onmessage = ({ data: { layers, engine } }) => {
  try {
    for (const [layer, { ring, algorithm }] of layers.entries()) {
      const reader = new RingReader(ring, DIGEST_READER);
      reader.begin();
      const digest = algorithm === null ? null : digestStream(reader, algorithm, engine);
      reader.finish();
      self.postMessage({ layer, digest });
    }
  } catch (error) {
    // Whoever has cancelled waits for no digest.
    if (!isInterruption(error)) throw error;
  }
};

function digestStream(
  reader: RingReader,
  algorithm: NonNullable<DigestRequest["layers"][number]["algorithm"]>,
  engine: DigestRequest["engine"],
): Digest | null {
  const hasher = createHasher(algorithm, engine);
  for (let piece = reader.next(RING_BYTES); piece.length > 0; piece = reader.next(RING_BYTES)) {
    hasher.update(piece);
    reader.take(piece.length);
  }
  return reader.outcome === "ended" ? formatDigest(algorithm, hasher.digest()) : null;
}
