/**
 * SHA-256 of any number of streams at a time, up to four of them in the lanes of a vector.
 *
 * On one core, four lanes together digest about 1.9 times as much as the code for one stream
 * (measured, wasm/assembly/sha256x4.ts), so three of them 1.4 times (calculated, as the fourth
 * works along in vain) and two nothing more. So streams are best digested side by side. One or two
 * wait for nobody. While more are open, blocks wait in the stream's buffer until four streams (all
 * three, where there are three) have some, or until the buffer is needed: then the streams with the
 * most are worked together. So feed the streams in turn, with pieces of up to 512 KiB; a stream may
 * well be slower than the others, as long as three are not (measured: three streams, beside three
 * at a third of their rate, are digested at 0.9 to 1 times the rate of four equal ones). Streams
 * may come and go at any time; in whatever order the pieces come, and however long they are, the
 * digests are right.
 *
 * @example
 * ```ts
 * import { HasherLanes } from "./hasher_lanes.ts";
 *
 * const lanes = new HasherLanes();
 * const [a, b] = [lanes.open(), lanes.open()];
 * a.update(new TextEncoder().encode("abc"));
 * b.update(new TextEncoder().encode("other"));
 * a.digest(); // 32 bytes: ba 78 16 bf …
 * b.digest();
 * ```
 *
 * @module
 */

import { type Hasher, startsAt } from "./hasher.ts";
import { type Exports, HASH_DIGEST, instantiate } from "./instance.ts";

/** Lanes of a vector. */
export const LANES = 4;
const BLOCK = 64;
const DIGEST_BYTES = 32;

/** Streams with blocks from which on the vector wins over the scalar code (measured). */
const WORTHWHILE = 3;

/** Blocks that each stream of a vector has where they are worked in without need. */
const STEADY_BLOCKS = 256;

/**
 * Streams of one memory. It is made at once, as to grow it would detach the windows of streams: what
 * is never written to takes nothing of the machine's.
 */
const SLOTS = 8;

/**
 * Bytes of the buffer of each stream. With 768 KiB, streams of different rates go 0.95 to 1 times as
 * fast, with 512 KiB 0.9 to 1, and streams in turn with pieces of 1 MiB 0.7 times (measured).
 */
const BUFFER = 0x100000;

/** Bytes that a window has at least. */
const WINDOW = 0x80000;

/** Bytes before each buffer, for the state of its stream: 32, and what keeps blocks aligned. */
const STATE = BLOCK;

/** A stream. To dispose of it gives its slot back without a digest; after the digest, nothing is left. */
export interface LaneHasher extends Hasher, Disposable {
  /**
   * Bytes that it takes without having to work in any, so that they can wait for company. Where there
   * are none left, whoever can wait better does.
   */
  readonly room: number;
}

/** As many streams as one likes, beside each other and one after another. */
export class HasherLanes {
  readonly #wasm: Exports;
  /** A state for a lane that has no stream. */
  readonly #spare: number;
  readonly #free: Slot[];
  readonly #open = new Set<Slot>();
  /** For the streams that find no slot here. */
  #more: HasherLanes | null = null;

  constructor() {
    this.#wasm = instantiate();
    this.#spare = this.#wasm.lanesInit(STATE + SLOTS * (STATE + BUFFER));
    if (this.#spare === 0) throw new RangeError("Cannot make buffers for digests: out of memory");
    const buffer = this.#wasm.memory.buffer as ArrayBuffer;
    this.#free = Array.from({ length: SLOTS }, (_, index) => {
      // The last one is taken first.
      const state = this.#spare + STATE + (SLOTS - 1 - index) * (STATE + BUFFER);
      return new Slot(state, new Uint8Array(buffer, state + STATE, BUFFER));
    });
  }

  /** Begins a SHA-256. */
  open(): LaneHasher {
    const slot = this.#free.pop();
    if (slot === undefined) return (this.#more ??= new HasherLanes()).open();
    this.#open.add(slot);
    this.#wasm.laneReset(slot.state);
    return new LaneStream({
      window: () => {
        // More than what is asked for, as where little is read there would be a move for each read.
        if (BUFFER - slot.end < WINDOW) this.#makeRoom(slot, WINDOW + BUFFER / 4);
        return slot.room;
      },
      room: () => BUFFER - slot.waiting,
      update: (bytes) => this.#update(slot, bytes),
      digest: () => this.#digest(slot),
      close: () => {
        slot.clear();
        this.#open.delete(slot);
        this.#free.push(slot);
      },
    });
  }

  #update(slot: Slot, bytes: Uint8Array): void {
    if (startsAt(bytes, slot.room)) slot.add(bytes.length);
    else {
      for (let at = 0; at < bytes.length;) {
        // So much that moving the rest down does not cost much.
        if (slot.end === BUFFER) this.#makeRoom(slot, BUFFER / 2);
        at += slot.put(bytes, at);
      }
    }
    this.#settle(slot);
  }

  /** Works in what need not wait, after bytes of `slot` have come. */
  #settle(slot: Slot): void {
    if (slot.blocks < STEADY_BLOCKS) return;
    if (this.#open.size < WORTHWHILE) return this.#alone(slot, slot.blocks);
    const wanted = Math.min(this.#open.size, LANES);
    for (;;) {
      const most = this.#most();
      if (most.length < wanted || most[wanted - 1]!.blocks < STEADY_BLOCKS) return;
      this.#together(most);
    }
  }

  /** Works until `room` bytes of a buffer are free, behind what waits. */
  #makeRoom(slot: Slot, room: number): void {
    for (let over; (over = slot.waiting - (BUFFER - room)) > 0;) {
      this.#work(slot, Math.ceil(over / BLOCK));
    }
    slot.compact();
  }

  /**
   * Works blocks of `slot` in, which has some, and with them those of others where that is faster.
   * Where it is not, only `blocks` of them: the others may yet have company.
   */
  #work(slot: Slot, blocks: number): void {
    const most = this.#most(slot);
    if (most.length >= WORTHWHILE) this.#together(most);
    else this.#alone(slot, blocks);
  }

  /** Up to four streams that have blocks: those with the most, but `first` in any case. */
  #most(first?: Slot): Slot[] {
    return [...this.#open].filter(({ blocks }) => blocks > 0)
      .sort((a, b) => a === first ? -1 : b === first ? 1 : b.blocks - a.blocks)
      .slice(0, LANES);
  }

  #alone(slot: Slot, blocks: number): void {
    this.#wasm.laneBlocks(slot.state, slot.pointer, blocks);
    slot.take(blocks);
  }

  /** Works the blocks that three or four streams have in common. */
  #together(slots: readonly Slot[]): void {
    const count = Math.min(...slots.map(({ blocks }) => blocks));
    const [a, b, c, d] = slots as [Slot, Slot, Slot, Slot?];
    // What the fourth lane makes of the blocks of the third is read by nobody.
    this.#wasm.lanesBlocks(
      a.state,
      b.state,
      c.state,
      d?.state ?? this.#spare,
      a.pointer,
      b.pointer,
      c.pointer,
      d?.pointer ?? c.pointer,
      count,
    );
    for (const slot of slots) slot.take(count);
  }

  #digest(slot: Slot): Uint8Array {
    while (slot.blocks > 0) this.#work(slot, slot.blocks);
    slot.compact();
    slot.put(padding(slot.total), 0);
    this.#alone(slot, slot.blocks);
    this.#wasm.laneDigest(slot.state);
    return new Uint8Array(this.#wasm.memory.buffer, HASH_DIGEST, DIGEST_BYTES).slice();
  }
}

/** The state and the buffer of a stream: what waits lies from `start` to `end`. */
class Slot {
  /** Where the state lies. */
  readonly state: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  start = 0;
  end = 0;
  /** Bytes of the whole stream so far. */
  total = 0;

  constructor(state: number, bytes: Uint8Array<ArrayBuffer>) {
    this.state = state;
    this.#bytes = bytes;
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.end - this.start;
  }

  /** Whole blocks that wait. */
  get blocks(): number {
    return Math.floor(this.waiting / BLOCK);
  }

  /** Where the blocks that wait lie. */
  get pointer(): number {
    return this.#bytes.byteOffset + this.start;
  }

  /** What is free of the buffer, behind what waits. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.end);
  }

  /** Takes `length` bytes that are in the room already. */
  add(length: number): void {
    this.end += length;
    this.total += length;
  }

  /** Takes what has room of `bytes` from `at` on, and says how much. */
  put(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + BUFFER - this.end);
    this.#bytes.set(part, this.end);
    this.add(part.length);
    return part.length;
  }

  /** Leaves out blocks that are worked in. */
  take(blocks: number): void {
    this.start += blocks * BLOCK;
    if (this.start === this.end) this.start = this.end = 0;
  }

  /** Moves what waits to the front. */
  compact(): void {
    this.#bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }

  /** Forgets the stream. */
  clear(): void {
    this.start = this.end = this.total = 0;
  }
}

/**
 * What ends a message of `length` bytes (FIPS 180-4, 5.1.1): the bit 1, zeros, and its length in
 * bits as 64 bits, up to the end of a block.
 *
 * @param length below 2^53
 */
export function padding(length: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK - (length + 8) % BLOCK + 8);
  bytes[0] = 0x80;
  new DataView(bytes.buffer).setBigUint64(bytes.length - 8, BigInt(length) * 8n);
  return bytes;
}

/** What {@linkcode HasherLanes} does for a stream. */
interface LaneCalls {
  window(): Uint8Array<ArrayBuffer>;
  room(): number;
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
  close(): void;
}

/** A stream in a lane, until its digest is taken. */
class LaneStream implements LaneHasher {
  readonly algorithm = "sha256";
  #lane: LaneCalls | null;

  constructor(lane: LaneCalls) {
    this.#lane = lane;
  }

  get window(): Uint8Array<ArrayBuffer> {
    return this.#live().window();
  }

  get room(): number {
    return this.#live().room();
  }

  update(bytes: Uint8Array): void {
    this.#live().update(bytes);
  }

  digest(): Uint8Array {
    const result = this.#live().digest();
    this[Symbol.dispose]();
    return result;
  }

  [Symbol.dispose](): void {
    this.#lane?.close();
    this.#lane = null;
  }

  #live(): LaneCalls {
    if (this.#lane === null) throw new TypeError("Cannot use the hasher: its digest was taken");
    return this.#lane;
  }
}
