/**
 * The thread that reads blobs and puts their tar streams into rings: several layers at a time where
 * they may be unpacked apart, otherwise one after the other.
 *
 * @module
 */

import { createHasher, formatDigest, type Hasher } from "../core/hasher.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { type BlobInput, FileInput, InputFailed, RingInput } from "./blob_input.ts";
import { BELL, Board } from "./board.ts";
import {
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  isAboutContent,
  isInterruption,
  sendable,
} from "./messages.ts";
import {
  blobHasher,
  checkSize,
  compressionOf,
  needsBlobDigest,
  readLayer,
  type Step,
  type TarSink,
} from "./read_layer.ts";
import { ReadOrder } from "./read_order.ts";
import { RingWriter, type StreamName } from "./ring.ts";

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

/** A ring for a tar stream, one for its blob where another thread digests that, and who fills them. */
interface Slot {
  readonly tar: RingWriter;
  readonly blob: RingWriter | null;
  work: Generator<Step, void, void> | null;
}

class Inflater {
  readonly #request: InflateRequest;
  readonly #board: Board;
  readonly #order: ReadOrder;
  readonly #slots: readonly Slot[];

  constructor(request: InflateRequest) {
    this.#request = request;
    this.#board = new Board(request.board);
    this.#order = new ReadOrder(request.apart, this.#board);
    this.#slots = request.lanes.map(({ tar, blob }) => ({
      tar: new RingWriter(tar),
      blob: blob === null ? null : new RingWriter(blob),
      work: null,
    }));
  }

  run(): void {
    while (!this.#order.isOver) this.#board.wait(BELL.inflate, () => this.#turn());
  }

  /** Goes on with all layers, where that is possible. @returns whether anything was done */
  #turn(): boolean {
    let isDone = false;
    for (const slot of this.#slots) {
      if (slot.work === null) this.#begin(slot);
      const step = slot.work?.next();
      if (step === undefined) continue;
      if (step.done) {
        slot.work = null;
        this.#order.end();
      }
      if (step.done || step.value === "done") isDone = true;
    }
    return isDone;
  }

  #begin(slot: Slot): void {
    if (!slot.tar.isFree || slot.blob?.isFree === false) return;
    const stream = this.#order.next();
    if (stream !== null) slot.work = this.#inflate(stream, slot);
  }

  /** Reads a layer, and tells what became of it. After a failure others go on: it may be unwanted. */
  *#inflate(stream: StreamName, slot: Slot): Generator<Step, void, void> {
    slot.tar.begin(stream);
    try {
      const read = yield* this.#read(stream, slot);
      self.postMessage({ type: "read", ...stream, ...read });
      slot.tar.end(read.result === null ? "dropped" : "ended");
    } catch (error) {
      const told = error instanceof InputFailed ? null : sendable(error);
      self.postMessage({ type: "failed", ...stream, error: told });
      slot.tar.end("failed");
      if (isInterruption(error)) throw error;
    }
  }

  *#read(stream: StreamName, { tar, blob }: Slot) {
    const { engine, isAlone } = this.#request;
    const layer = this.#request.layers[stream.layer]!;
    using input = this.#open(stream, layer);
    checkSize(input, layer);
    const compression = compressionOf(input);
    const isElsewhere = blob !== null && input instanceof FileInput &&
      needsBlobDigest(layer, compression);
    const hasher = isElsewhere ? null : blobHasher(layer, compression, engine);
    const hashed = isAlone && layer.diffId !== null
      ? new HashingSink(tar, createHasher(digestAlgorithm(layer.diffId), engine))
      : null;
    const reading = readLayer(input, layer, hashed ?? tar, { compression, hasher });
    const result = isElsewhere
      ? yield* digestedElsewhere(stream, input, blob, reading)
      : yield* reading;
    return { result, diffId: result === null ? null : hashed?.digest() ?? null };
  }

  #open({ layer, attempt }: StreamName, { blob }: InflateLayer): BlobInput {
    const onBytes = (delta: number) => self.postMessage({ type: "bytes", layer, attempt, delta });
    return "path" in blob
      ? new FileInput(blob, () => this.#board.checkCancelled(), onBytes)
      : new RingInput(blob.ring, blob.length, onBytes);
  }
}

/** Reads a layer, its blob by way of a ring. */
function* digestedElsewhere<T>(
  stream: StreamName,
  input: FileInput,
  blob: RingWriter,
  reading: Generator<Step, T, void>,
): Generator<Step, T, void> {
  blob.begin(stream);
  input.readInto(blob);
  try {
    const result = yield* reading;
    blob.end(result === null ? "dropped" : "ended");
    return result;
  } catch (error) {
    // What cannot be understood was read to its end all the same.
    blob.end(isAboutContent(error) ? "ended" : "failed");
    throw error;
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
