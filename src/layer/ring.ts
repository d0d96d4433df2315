/**
 * Bytes on their way from one thread to others: a ring in shared memory.
 *
 * One thread writes; every reader sees all bytes, each at its own pace, and the writer waits for the
 * slowest of them. So however large a stream is, a ring holds {@linkcode RING_BYTES} of it. A ring
 * carries one stream after another: the next begins when all readers have finished with the last.
 *
 *     control   0 sequence     goes up with every change: whoever waits, waits for it to go up
 *     (words)   1 cancelled    1: everybody ends
 *               2 stream       number of the stream that is in the ring, from 0; -1 before the first
 *               3 state        of that stream: OPEN, ENDED, FAILED, DROPPED
 *               4 written      bytes of it that were written, modulo 2^32
 *               5 dropped      number of streams from the first on that nobody wants (more) of
 *               6 readers      how many there are
 *               7 + 2r         bytes that reader r has taken, modulo 2^32
 *               8 + 2r         number of streams that reader r has finished with
 *     data      RING_BYTES, a power of two, so that positions may wrap
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

/** Bytes that a ring holds. Larger ones measured no faster. */
export const RING_BYTES = 4 * 1024 * 1024;

/**
 * Bytes that a reader or a writer waits for, so that the threads do not wake each other for crumbs.
 * Both together are less than a ring: one of them can always go on.
 */
const STEP_BYTES = 256 * 1024;

const SEQUENCE = 0;
const CANCELLED = 1;
const STREAM = 2;
const STATE = 3;
const WRITTEN = 4;
const DROPPED_STREAMS = 5;
const READERS = 6;
const TAKEN = 7;
const FINISHED = 8;
const WORDS_A_READER = 2;

const OPEN = 0;
const ENDED = 1;
const FAILED = 2;
const DROPPED = 3;

/** A ring's memory, which can be sent to other threads. */
export interface SharedRing {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly data: Uint8Array<SharedArrayBuffer>;
}

/** Numbers of the two readers of a tar stream: who writes the tree, and who computes the diffID. */
export const WRITE_READER = 0;
export const DIGEST_READER = 1;

/** How a stream has ended. `failed`: the writer says elsewhere why. `dropped`: nobody wanted it. */
export type StreamEnd = "ended" | "failed" | "dropped";

/** Makes a ring for `readers` readers. */
export function createRing(readers: number): SharedRing {
  const words = TAKEN + WORDS_A_READER * readers;
  const control = new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  control[STREAM] = -1;
  control[READERS] = readers;
  return { control, data: new Uint8Array(new SharedArrayBuffer(RING_BYTES)) };
}

/** Ends the work of everybody at a ring: from now on, their calls throw `interrupted`. */
export function cancelRing({ control }: SharedRing): void {
  Atomics.store(control, CANCELLED, 1);
  announce(control);
}

/** Says that nobody wants what is still to come of a stream, nor of those before it. */
export function dropStream({ control }: SharedRing, stream: number): void {
  Atomics.store(control, DROPPED_STREAMS, stream + 1);
  announce(control);
}

/** What the thread that writes does. */
export class RingWriter {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #data: Uint8Array<SharedArrayBuffer>;

  constructor({ control, data }: SharedRing) {
    this.#control = control;
    this.#data = data;
  }

  /** Begins the next stream, once all have finished with the last one. */
  begin(): void {
    waitUntil(this.#control, () => this.#isFree());
    this.#start();
  }

  /** As {@linkcode begin}, in a thread that must not stand still. */
  async beginLater(): Promise<void> {
    await waitLater(this.#control, () => this.#isFree());
    this.#start();
  }

  /**
   * A piece of the ring for bytes to be put in, of at least 1 byte.
   *
   * @returns null where this stream is dropped, or all readers have finished with it
   */
  reserve(): Uint8Array<SharedArrayBuffer> | null {
    waitUntil(this.#control, () => this.#hasRoom());
    return this.#room();
  }

  /** As {@linkcode reserve}, in a thread that must not stand still. */
  async reserveLater(): Promise<Uint8Array<SharedArrayBuffer> | null> {
    await waitLater(this.#control, () => this.#hasRoom());
    return this.#room();
  }

  /** @throws {LayerfsError} `interrupted` where the ring is cancelled */
  checkCancelled(): void {
    checkCancelled(this.#control);
  }

  /** Gives the first `length` bytes of what {@linkcode reserve} returned to the readers. */
  commit(length: number): void {
    Atomics.add(this.#control, WRITTEN, length);
    announce(this.#control);
  }

  /** Ends the stream. */
  end(how: StreamEnd = "ended"): void {
    const state = how === "ended" ? ENDED : how === "failed" ? FAILED : DROPPED;
    Atomics.store(this.#control, STATE, state);
    announce(this.#control);
  }

  #isFree(): boolean {
    const stream = this.#control[STREAM]!;
    return everyReader(this.#control, (reader) => finished(this.#control, reader) > stream);
  }

  #start(): void {
    const control = this.#control;
    Atomics.store(control, WRITTEN, 0);
    everyReader(control, (reader) => {
      Atomics.store(control, TAKEN + WORDS_A_READER * reader, 0);
      return true;
    });
    Atomics.store(control, STATE, OPEN);
    Atomics.add(control, STREAM, 1);
    announce(control);
  }

  #isUnwanted(): boolean {
    const dropped = Atomics.load(this.#control, DROPPED_STREAMS) > this.#control[STREAM]!;
    return dropped || this.#isFree();
  }

  #hasRoom(): boolean {
    return this.#isUnwanted() || this.#free() >= STEP_BYTES;
  }

  #free(): number {
    const control = this.#control;
    const stream = control[STREAM]!;
    const written = control[WRITTEN]!;
    let most = 0;
    everyReader(control, (reader) => {
      if (finished(control, reader) > stream) return true;
      const taken = Atomics.load(control, TAKEN + WORDS_A_READER * reader);
      most = Math.max(most, (written - taken) | 0);
      return true;
    });
    return RING_BYTES - most;
  }

  #room(): Uint8Array<SharedArrayBuffer> | null {
    if (this.#isUnwanted()) return null;
    const start = this.#control[WRITTEN]! & (RING_BYTES - 1);
    return this.#data.subarray(start, Math.min(start + this.#free(), RING_BYTES));
  }
}

/** What a thread that reads does. */
export class RingReader {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #data: Uint8Array<SharedArrayBuffer>;
  readonly #reader: number;
  readonly #taken: number;

  /** @param reader its number, from 0 */
  constructor({ control, data }: SharedRing, reader: number) {
    this.#control = control;
    this.#data = data;
    this.#reader = reader;
    this.#taken = TAKEN + WORDS_A_READER * reader;
  }

  /** Waits for the next stream to begin. */
  begin(): void {
    const stream = finished(this.#control, this.#reader);
    waitUntil(this.#control, () => Atomics.load(this.#control, STREAM) >= stream);
  }

  /**
   * Bytes that come next, `most` of them at most; valid until they are {@linkcode take}n. None are
   * left when it is empty: {@linkcode outcome} says why.
   */
  next(most: number): Uint8Array<SharedArrayBuffer> {
    const control = this.#control;
    waitUntil(
      control,
      () => this.#waiting() >= STEP_BYTES || Atomics.load(control, STATE) !== OPEN,
    );
    const start = control[this.#taken]! & (RING_BYTES - 1);
    const end = Math.min(start + Math.min(this.#waiting(), most), RING_BYTES);
    return this.#data.subarray(start, end);
  }

  /** Gives the first `length` bytes of what {@linkcode next} returned back to the writer. */
  take(length: number): void {
    Atomics.add(this.#control, this.#taken, length);
    announce(this.#control);
  }

  /** How the stream has ended, once {@linkcode next} was empty. */
  get outcome(): StreamEnd {
    const state = Atomics.load(this.#control, STATE);
    return state === ENDED ? "ended" : state === DROPPED ? "dropped" : "failed";
  }

  /** Is done with the stream, whether all of it was read or not. */
  finish(): void {
    Atomics.add(this.#control, this.#taken + 1, 1);
    announce(this.#control);
  }

  #waiting(): number {
    return (Atomics.load(this.#control, WRITTEN) - this.#control[this.#taken]!) | 0;
  }
}

function finished(control: Int32Array<SharedArrayBuffer>, reader: number): number {
  return Atomics.load(control, FINISHED + WORDS_A_READER * reader);
}

function everyReader(
  control: Int32Array<SharedArrayBuffer>,
  holds: (reader: number) => boolean,
): boolean {
  for (let reader = 0; reader < control[READERS]!; reader++) if (!holds(reader)) return false;
  return true;
}

/** Wakes all who wait. */
function announce(control: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(control, SEQUENCE, 1);
  Atomics.notify(control, SEQUENCE);
}

function waitUntil(control: Int32Array<SharedArrayBuffer>, holds: () => boolean): void {
  for (;;) {
    // Read before what it guards: a change in between ends the wait at once.
    const sequence = Atomics.load(control, SEQUENCE);
    checkCancelled(control);
    if (holds()) return;
    Atomics.wait(control, SEQUENCE, sequence);
  }
}

async function waitLater(
  control: Int32Array<SharedArrayBuffer>,
  holds: () => boolean,
): Promise<void> {
  for (;;) {
    const sequence = Atomics.load(control, SEQUENCE);
    checkCancelled(control);
    if (holds()) return;
    await Atomics.waitAsync(control, SEQUENCE, sequence).value;
  }
}

function checkCancelled(control: Int32Array<SharedArrayBuffer>): void {
  if (Atomics.load(control, CANCELLED) === 1) throw new LayerfsError("interrupted", "interrupted");
}
