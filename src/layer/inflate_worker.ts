/**
 * The thread that reads blobs, verifies them and puts their tar streams into rings.
 *
 * @module
 */

import { type BlobInput, FileInput, InputFailed, RingInput } from "./blob_input.ts";
import {
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  sendable,
} from "./messages.ts";
import { readLayer } from "./read_layer.ts";
import { RingWriter } from "./ring.ts";

declare const self: {
  onmessage: ((event: MessageEvent<InflateRequest>) => void) | null;
  postMessage(message: InflateMessage): void;
};

self.onmessage = ({ data: { layers, engine } }) => {
  layers.every((layer, index) => inflate(index, layer, engine));
};

/** @returns whether the next layer is to be read */
function inflate(index: number, layer: InflateLayer, engine: InflateRequest["engine"]): boolean {
  const sink = new RingWriter(layer.ring);
  try {
    sink.begin();
    using input = open(index, layer, () => sink.checkCancelled());
    const result = readLayer(input, layer, sink, engine);
    self.postMessage({ type: "read", layer: index, result });
    sink.end(result === null ? "dropped" : "ended");
    return true;
  } catch (error) {
    const told = error instanceof InputFailed ? null : sendable(error);
    self.postMessage({ type: "failed", layer: index, error: told });
    sink.end("failed");
    return false;
  }
}

function open(index: number, { blob }: InflateLayer, checkCancel: () => void): BlobInput {
  const onBytes = (delta: number) => self.postMessage({ type: "bytes", layer: index, delta });
  return "path" in blob
    ? new FileInput(blob, checkCancel, onBytes)
    : new RingInput(blob.ring, blob.length, onBytes);
}
