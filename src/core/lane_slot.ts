/**
 * A stream that is digested beside others: its state in the module, and what of it waits.
 *
 * @module
 */

import { BUFFER, slotOf } from "./lane_memory.ts";

/** Bytes of a block of SHA-256. */
export const BLOCK = 64;

/** The state and the buffer of a stream. */
export class Slot {
  /** Where the state lies. */
  readonly state: number;
  readonly #buffer: Uint8Array<SharedArrayBuffer>;
  /** What waits is here, from `start` to `end`: in the buffer, or in a place of others. */
  #bytes: Uint8Array<SharedArrayBuffer>;
  start = 0;
  end = 0;
  /** Bytes of the stream that were worked in, and those of them that were told of. */
  #done = 0;
  #told = 0;

  constructor(memory: WebAssembly.Memory, index: number) {
    const { state, buffer } = slotOf(memory, index);
    this.state = state;
    this.#buffer = buffer;
    this.#bytes = buffer;
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.end - this.start;
  }

  /** Whole blocks that wait. */
  get blocks(): number {
    return Math.floor(this.waiting / BLOCK);
  }

  /** Bytes of the whole stream so far. */
  get total(): number {
    return this.#done + this.waiting;
  }

  /** Where the blocks that wait lie. */
  get pointer(): number {
    return this.#bytes.byteOffset + this.start;
  }

  /** What is free of the buffer, behind what waits. */
  get room(): Uint8Array<SharedArrayBuffer> {
    return this.#buffer.subarray(this.end);
  }

  /** Takes `length` bytes that are in the room already. */
  add(length: number): void {
    this.end += length;
  }

  /** Takes what has room of `bytes` from `at` on, and says how much. */
  put(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + BUFFER - this.end);
    this.#buffer.set(part, this.end);
    this.add(part.length);
    return part.length;
  }

  /** What waits is there, and nothing else. */
  place(bytes: Uint8Array<SharedArrayBuffer>): void {
    this.#bytes = bytes;
    this.start = 0;
    this.end = bytes.length;
  }

  /** Leaves out blocks that are worked in. */
  take(blocks: number): void {
    this.start += blocks * BLOCK;
    this.#done += blocks * BLOCK;
    if (this.start === this.end) this.start = this.end = 0;
  }

  /** How many bytes were worked in since the last call. */
  takeUsed(): number {
    const used = this.#done - this.#told;
    this.#told = this.#done;
    return used;
  }

  /** Moves what waits to the front of the buffer. */
  compact(): void {
    this.#buffer.set(this.#bytes.subarray(this.start, this.end));
    this.#bytes = this.#buffer;
    this.end -= this.start;
    this.start = 0;
  }

  /** Forgets the stream. */
  clear(): void {
    this.#bytes = this.#buffer;
    this.start =
      this.end =
      this.#done =
      this.#told =
        0;
  }
}
