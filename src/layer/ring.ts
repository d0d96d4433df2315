/**
 * Bytes on their way from one thread to others: a ring in shared memory.
 *
 * One thread writes; every reader sees all bytes, each at its own pace, and the writer waits for the
 * slowest of them. So however large a stream is, a ring holds {@linkcode RING_BYTES} of it. A ring
 * carries one stream after another: the next begins when all readers have finished with the last. Who
 * has to wait, waits for his bell on the board.
 *
 *     control   0 begun        streams that have begun
 *     (words)   1 layer        of the stream that is in the ring
 *               2 attempt      of that layer, from 0
 *               3 state        of that stream: OPEN, ENDED, FAILED, DROPPED
 *               4 written      bytes of it that were written, modulo 2^32
 *               5 + 2r         bytes of it that reader r has taken, modulo 2^32
 *               6 + 2r         number of streams that reader r has finished with
 *     data      RING_BYTES, a power of two, so that positions may wrap
 *
 * @module
 */

import { type Bell, Board, type SharedBoard } from "./board.ts";
import type { StreamName } from "./stream_name.ts";

/** Bytes that a ring holds. Larger ones measured no faster. */
export const RING_BYTES = 4 * 1024 * 1024;

/**
 * Bytes that a reader or a writer waits for, so that the threads do not wake each other for crumbs.
 * Both together are less than a ring: one of them can always go on.
 */
const STEP_BYTES = 256 * 1024;

const BEGUN = 0;
const LAYER = 1;
const ATTEMPT = 2;
const STATE = 3;
const WRITTEN = 4;
const TAKEN = 5;
const FINISHED = 6;
const WORDS_A_READER = 2;

const OPEN = 0;
const ENDED = 1;
const FAILED = 2;
const DROPPED = 3;

/** A ring's memory, which can be sent to other threads, and who is at it. */
export interface SharedRing {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly data: Uint8Array<SharedArrayBuffer>;
  readonly board: SharedBoard;
  readonly writer: Bell;
  /** Each reader's number is its place here. */
  readonly readers: readonly Bell[];
}

/** Numbers of the two readers of a tar stream: who writes the tree, and who computes the diffID. */
export const WRITE_READER = 0;
export const DIGEST_READER = 1;

/** How a stream has ended. `failed`: the writer says elsewhere why. `dropped`: nobody wanted it. */
export type StreamEnd = "ended" | "failed" | "dropped";

/** Makes a ring. @param data {@linkcode RING_BYTES} of memory for its bytes */
export function createRing(
  board: Board,
  writer: Bell,
  readers: readonly Bell[],
  data = new Uint8Array(new SharedArrayBuffer(RING_BYTES)),
): SharedRing {
  const words = TAKEN + WORDS_A_READER * readers.length;
  const control = new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  return { control, data, board: board.shared, writer, readers };
}

/** What the thread that writes does. */
export class RingWriter {
  readonly #ring: SharedRing;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #board: Board;

  constructor(ring: SharedRing) {
    this.#ring = ring;
    this.#control = ring.control;
    this.#board = new Board(ring.board);
  }

  /** Whether all readers have finished with all streams, so that one can begin. */
  get isFree(): boolean {
    const begun = this.#control[BEGUN]!;
    return this.#ring.readers.every((_, reader) => finished(this.#control, reader) === begun);
  }

  /** Begins a stream in a ring that is free. */
  begin({ layer, attempt }: StreamName): void {
    const control = this.#control;
    Atomics.store(control, LAYER, layer);
    Atomics.store(control, ATTEMPT, attempt);
    Atomics.store(control, WRITTEN, 0);
    for (const reader of this.#ring.readers.keys()) {
      Atomics.store(control, TAKEN + WORDS_A_READER * reader, 0);
    }
    Atomics.store(control, STATE, OPEN);
    Atomics.add(control, BEGUN, 1);
    this.#announce();
  }

  /** Waits until the ring is free, in a thread that must not stand still, and begins. */
  async beginLater(stream: StreamName): Promise<void> {
    await this.#board.waitLater(this.#ring.writer, () => this.isFree);
    this.begin(stream);
  }

  /** Whether the stream is dropped, or all readers have finished with it. */
  get isUnwanted(): boolean {
    const control = this.#control;
    return this.#board.isDropped(control[LAYER]!, control[ATTEMPT]!) || this.isFree;
  }

  /** A piece of the ring for bytes to be put in; empty while there is too little room. */
  room(): Uint8Array<SharedArrayBuffer> {
    const { data } = this.#ring;
    const free = freeIn(this.#ring);
    if (free < STEP_BYTES) return data.subarray(0, 0);
    const start = this.#control[WRITTEN]! & (RING_BYTES - 1);
    return data.subarray(start, Math.min(start + free, RING_BYTES));
  }

  /** Waits for room in a thread that must not stand still. @returns null where none is wanted */
  async roomLater(): Promise<Uint8Array<SharedArrayBuffer> | null> {
    const isSettled = () => this.isUnwanted || freeIn(this.#ring) >= STEP_BYTES;
    await this.#board.waitLater(this.#ring.writer, isSettled);
    return this.isUnwanted ? null : this.room();
  }

  /** Gives the first `length` bytes of the room to the readers. */
  commit(length: number): void {
    Atomics.add(this.#control, WRITTEN, length);
    this.#announce();
  }

  /** Ends the stream. */
  end(how: StreamEnd = "ended"): void {
    const state = how === "ended" ? ENDED : how === "failed" ? FAILED : DROPPED;
    Atomics.store(this.#control, STATE, state);
    this.#announce();
  }

  #announce(): void {
    for (const bell of this.#ring.readers) this.#board.ring(bell);
  }
}

/** What a thread that reads does. */
export class RingReader {
  readonly #ring: SharedRing;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #board: Board;
  readonly #reader: number;
  readonly #taken: number;

  /** @param reader its number, from 0 */
  constructor(ring: SharedRing, reader: number) {
    this.#ring = ring;
    this.#control = ring.control;
    this.#board = new Board(ring.board);
    this.#reader = reader;
    this.#taken = TAKEN + WORDS_A_READER * reader;
  }

  /** What is in the ring, until this reader has {@linkcode finish}ed with it; null for nothing. */
  get stream(): StreamName | null {
    const control = this.#control;
    if (Atomics.load(control, BEGUN) === finished(control, this.#reader)) return null;
    return { layer: Atomics.load(control, LAYER), attempt: Atomics.load(control, ATTEMPT) };
  }

  /** Waits for the next stream to begin. */
  waitForStream(): void {
    this.#board.wait(this.#ring.readers[this.#reader]!, () => this.stream !== null);
  }

  /**
   * Bytes that come next, `most` of them at most; valid until they are {@linkcode take}n. Empty while
   * there are too few, and when none are left: see {@linkcode isOver}.
   */
  available(most: number): Uint8Array<SharedArrayBuffer> {
    const { data } = this.#ring;
    // The state first: what was written before the stream ended is seen after it.
    const isOpen = Atomics.load(this.#control, STATE) === OPEN;
    const waiting = this.#waiting();
    if (isOpen && waiting < STEP_BYTES) return data.subarray(0, 0);
    const start = this.#control[this.#taken]! & (RING_BYTES - 1);
    return data.subarray(start, Math.min(start + Math.min(waiting, most), RING_BYTES));
  }

  /** Whether the writer cannot go on until this reader does, or has nothing more to write. */
  get isCrowded(): boolean {
    return RING_BYTES - this.#waiting() < STEP_BYTES ||
      Atomics.load(this.#control, STATE) !== OPEN;
  }

  /** Whether the writer cannot go on until another reader does. */
  get isHeldUp(): boolean {
    return freeIn(this.#ring) < STEP_BYTES && !this.isCrowded;
  }

  /** Whether the stream has ended, and `length` bytes are all of it that is not taken. */
  hasAll(length: number): boolean {
    return Atomics.load(this.#control, STATE) !== OPEN && this.#waiting() === length;
  }

  /** Whether the stream has ended, {@linkcode outcome} says how, and all of it is taken. */
  get isOver(): boolean {
    return this.hasAll(0);
  }

  /** Waits for bytes. @returns what is {@linkcode available}; empty when none are left */
  next(most: number): Uint8Array<SharedArrayBuffer> {
    let piece = this.available(most);
    this.#board.wait(this.#ring.readers[this.#reader]!, () => {
      piece = this.available(most);
      return piece.length > 0 || this.isOver;
    });
    return piece;
  }

  /** Gives the first `length` bytes that were available back to the writer. */
  take(length: number): void {
    Atomics.add(this.#control, this.#taken, length);
    this.#board.ring(this.#ring.writer);
  }

  /** How the stream has ended. */
  get outcome(): StreamEnd {
    const state = Atomics.load(this.#control, STATE);
    return state === ENDED ? "ended" : state === DROPPED ? "dropped" : "failed";
  }

  /** Is done with the stream, whether all of it was read or not. */
  finish(): void {
    Atomics.add(this.#control, this.#taken + 1, 1);
    this.#board.ring(this.#ring.writer);
  }

  #waiting(): number {
    return (Atomics.load(this.#control, WRITTEN) - this.#control[this.#taken]!) | 0;
  }
}

/** Bytes that all readers have taken, or are done with. */
function freeIn({ control, readers }: SharedRing): number {
  const begun = Atomics.load(control, BEGUN);
  const written = Atomics.load(control, WRITTEN);
  let most = 0;
  for (const reader of readers.keys()) {
    if (finished(control, reader) === begun) continue;
    const taken = Atomics.load(control, TAKEN + WORDS_A_READER * reader);
    most = Math.max(most, (written - taken) | 0);
  }
  return RING_BYTES - most;
}

function finished(control: Int32Array<SharedArrayBuffer>, reader: number): number {
  return Atomics.load(control, FINISHED + WORDS_A_READER * reader);
}
