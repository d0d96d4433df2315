/**
 * Brings blobs that are in no file to the thread that reads them: from streams into rings.
 *
 * @module
 */

import type { BlobStream } from "../blob/content.ts";
import { BELL, type Board } from "./board.ts";
import { createRing, RingWriter, type SharedRing } from "./ring.ts";

/** Blobs that come in at a time: the one being read, and one whose beginning is there already. */
const RINGS = 2;

/** A blob for the ring that it was given. */
interface Queued {
  readonly layer: number;
  readonly content: BlobStream;
}

export class StreamPump {
  readonly #board: Board;
  readonly #lanes: { readonly ring: SharedRing; readonly queue: Queued[] }[] = [];
  readonly #errors = new Map<number, Error>();
  readonly #abort = new AbortController();
  #added = 0;
  #work: Promise<unknown> = Promise.resolve();

  constructor(board: Board) {
    this.#board = board;
  }

  /** Queues the blob of a layer. @returns the ring that it will come through */
  add(layer: number, content: BlobStream): SharedRing {
    const lane = this.#lanes[this.#added % RINGS] ?? {
      ring: createRing(this.#board, BELL.main, [BELL.inflate]),
      queue: [],
    };
    if (this.#lanes.length < RINGS) this.#lanes.push(lane);
    lane.queue.push({ layer, content });
    this.#added++;
    return lane.ring;
  }

  /** Begins, once all are added. */
  start(): void {
    this.#work = Promise.all(this.#lanes.map(({ ring, queue }) => this.#run(ring, queue)));
  }

  /** Ends the work, once the board is cancelled. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Settles when nothing is going on any more; never rejects. */
  get ended(): Promise<unknown> {
    return this.#work;
  }

  /** Why the stream of a layer has failed. */
  errorOf(layer: number): Error | undefined {
    return this.#errors.get(layer);
  }

  async #run(ring: SharedRing, queue: readonly Queued[]): Promise<void> {
    for (const { layer, content } of queue) {
      const writer = new RingWriter(ring);
      try {
        await writer.beginLater({ layer, attempt: 0 });
        await pour(content.open(this.#abort.signal), writer);
        writer.end();
      } catch (error) {
        this.#errors.set(layer, error instanceof Error ? error : new Error(String(error)));
        writer.end("failed");
        if (this.#abort.signal.aborted) return;
      }
    }
  }
}

/** Puts all pieces into the ring, or as many as are wanted. */
async function pour(pieces: AsyncIterable<Uint8Array>, writer: RingWriter): Promise<void> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const room = await writer.roomLater();
      if (room === null) return;
      const part = piece.subarray(at, at + room.length);
      room.set(part);
      writer.commit(part.length);
      at += part.length;
    }
  }
}
