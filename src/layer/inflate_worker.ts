/**
 * A thread that reads blobs and puts their tar streams into rings: several layers at a time where
 * they may be unpacked apart, then beside another thread of the kind; otherwise one after the other.
 *
 * @module
 */

import { createHasher, formatDigest, type Hasher } from "../core/hasher.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { type BlobInput, FileInput, InputFailed, RingInput } from "./blob_input.ts";
import { Board } from "./board.ts";
import {
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  isInterruption,
  sendable,
} from "./messages.ts";
import { readLayer, type Step, type TarSink } from "./read_layer.ts";
import { ReadOrder } from "./read_order.ts";
import { RingWriter } from "./ring.ts";
import type { StreamName } from "./stream_name.ts";

declare const self: {
  onmessage: ((event: MessageEvent<InflateRequest>) => void) | null;
  postMessage(message: InflateMessage): void;
};

self.onmessage = ({ data }) => {
  try {
    new Inflater(data).run();
  } catch (error) {
    // Whoever has cancelled waits for nothing.
    if (!isInterruption(error)) throw error;
  }
};

/** A ring for a tar stream, and who fills it. */
interface Slot {
  readonly ring: RingWriter;
  work: Generator<Step, void, void> | null;
  /** How much of the blob was read, from 0 to 1. */
  done: number;
}

class Inflater {
  readonly #request: InflateRequest;
  readonly #board: Board;
  readonly #order: ReadOrder;
  readonly #slots: readonly Slot[];

  constructor(request: InflateRequest) {
    this.#request = request;
    this.#board = new Board(request.board);
    const sizes = request.layers.map(({ blob }) => blob.length);
    this.#order = new ReadOrder(sizes, request.isApart, this.#board);
    this.#slots = request.rings.map((ring) => ({
      ring: new RingWriter(ring),
      work: null,
      done: 0,
    }));
  }

  run(): void {
    while (!this.#order.isOver) this.#board.wait(this.#request.bell, () => this.#turn());
  }

  /**
   * Goes on with the layer of which the smallest part is read, as far as its ring allows: so they all
   * end at about the same time, and there is something to be done side by side until then.
   *
   * @returns whether anything was done
   */
  #turn(): boolean {
    for (const slot of this.#slots) if (slot.work === null) this.#begin(slot);
    return this.#slots.toSorted((one, other) => one.done - other.done)
      .some((slot) => this.#step(slot));
  }

  #begin(slot: Slot): void {
    if (!slot.ring.isFree) return;
    const stream = this.#order.next();
    if (stream === null) return;
    slot.work = this.#inflate(stream, slot);
    slot.done = 0;
  }

  /** @returns whether anything was done */
  #step(slot: Slot): boolean {
    const step = slot.work?.next();
    if (step?.done !== true) return step?.value === "done";
    slot.work = null;
    this.#order.end();
    return true;
  }

  /** Reads a layer, and tells what became of it. After a failure others go on: it may be unwanted. */
  *#inflate(stream: StreamName, slot: Slot): Generator<Step, void, void> {
    slot.ring.begin(stream);
    try {
      const read = yield* this.#read(stream, slot);
      self.postMessage({ type: "read", ...stream, ...read });
      slot.ring.end(read.result === null ? "dropped" : "ended");
    } catch (error) {
      const told = error instanceof InputFailed ? null : sendable(error);
      self.postMessage({ type: "failed", ...stream, error: told });
      slot.ring.end("failed");
      if (isInterruption(error)) throw error;
    }
  }

  *#read(stream: StreamName, slot: Slot) {
    const { engine, isAlone } = this.#request;
    const layer = this.#request.layers[stream.layer]!;
    using input = this.#open(stream, layer, slot);
    const hashed = isAlone && layer.diffId !== null
      ? new HashingSink(slot.ring, createHasher(digestAlgorithm(layer.diffId), engine))
      : null;
    const blobEngine = layer.isDigestedElsewhere ? null : engine;
    const result = yield* readLayer(input, layer, hashed ?? slot.ring, blobEngine);
    return { result, diffId: result === null ? null : hashed?.digest() ?? null };
  }

  #open({ layer, attempt }: StreamName, { blob }: InflateLayer, slot: Slot): BlobInput {
    const onBytes = (delta: number) => {
      slot.done += delta / blob.length;
      self.postMessage({ type: "bytes", layer, attempt, delta });
    };
    return "path" in blob
      ? new FileInput(blob, () => this.#board.checkCancelled(), onBytes)
      : new RingInput(blob.ring, blob.length, onBytes);
  }
}

/** Computes the digest of what it passes on. */
class HashingSink implements TarSink {
  readonly #sink: TarSink;
  readonly #hasher: Hasher;
  #room = new Uint8Array(0);

  constructor(sink: TarSink, hasher: Hasher) {
    this.#sink = sink;
    this.#hasher = hasher;
  }

  get isUnwanted(): boolean {
    return this.#sink.isUnwanted;
  }

  room(): Uint8Array {
    return this.#room = this.#sink.room() as Uint8Array<ArrayBuffer>;
  }

  commit(length: number): void {
    this.#hasher.update(this.#room.subarray(0, length));
    this.#sink.commit(length);
  }

  digest(): Digest {
    return formatDigest(this.#hasher.algorithm, this.#hasher.digest());
  }
}
