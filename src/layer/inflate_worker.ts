/**
 * The thread that reads blobs, verifies them and puts their tar streams into rings.
 *
 * @module
 */

import { createHasher, formatDigest, type Hasher } from "../core/hasher.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { type BlobInput, FileInput, InputFailed, RingInput } from "./blob_input.ts";
import {
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  isInterruption,
  sendable,
} from "./messages.ts";
import { readLayer, type TarSink } from "./read_layer.ts";
import { RingWriter } from "./ring.ts";

declare const self: {
  onmessage: ((event: MessageEvent<InflateRequest>) => void) | null;
  postMessage(message: InflateMessage): void;
};

self.onmessage = ({ data: { layers, ...how } }) => {
  // Goes on after a failure: where somebody else has made that layer, nobody asks for it.
  layers.every((layer, index) => inflate(index, layer, how));
};

/** @returns false where the work is to end */
function inflate(
  index: number,
  layer: InflateLayer,
  { engine, isAlone }: Omit<InflateRequest, "layers">,
): boolean {
  const ring = new RingWriter(layer.ring);
  try {
    ring.begin();
    using input = open(index, layer, () => ring.checkCancelled());
    const hashed = isAlone && layer.diffId !== null
      ? new HashingSink(ring, createHasher(digestAlgorithm(layer.diffId), engine))
      : null;
    const result = readLayer(input, layer, hashed ?? ring, engine);
    const diffId = result === null ? null : hashed?.digest() ?? null;
    self.postMessage({ type: "read", layer: index, result, diffId });
    ring.end(result === null ? "dropped" : "ended");
    return true;
  } catch (error) {
    const told = error instanceof InputFailed ? null : sendable(error);
    self.postMessage({ type: "failed", layer: index, error: told });
    ring.end("failed");
    return !isInterruption(error);
  }
}

/** Computes the digest of what it passes on. */
class HashingSink implements TarSink {
  readonly #sink: TarSink;
  readonly #hasher: Hasher;
  #room: Uint8Array | null = null;

  constructor(sink: TarSink, hasher: Hasher) {
    this.#sink = sink;
    this.#hasher = hasher;
  }

  reserve(): Uint8Array | null {
    this.#room = this.#sink.reserve();
    return this.#room;
  }

  commit(length: number): void {
    if (this.#room !== null) this.#hasher.update(this.#room.subarray(0, length));
    this.#sink.commit(length);
  }

  digest(): Digest {
    return formatDigest(this.#hasher.algorithm, this.#hasher.digest());
  }
}

function open(index: number, { blob }: InflateLayer, checkCancel: () => void): BlobInput {
  const onBytes = (delta: number) => self.postMessage({ type: "bytes", layer: index, delta });
  return "path" in blob
    ? new FileInput(blob, checkCancel, onBytes)
    : new RingInput(blob.ring, blob.length, onBytes);
}
