/**
 * SHA-256 of up to four streams at a time, in the four lanes of a vector.
 *
 * On one core, four lanes together digest about 1.8 times as much as the code for one stream
 * (measured, wasm/assembly/sha256x4.ts), so three of them 1.35 times (calculated, as the fourth
 * works along in vain) and two nothing more. So layers are best digested side by
 * side. Each stream has a buffer of 1 MiB. While three or four streams are open, blocks wait there
 * until all of them have some, or until the stream that is ahead needs the room: so feed the streams
 * in turn, with pieces of up to 512 KiB. One or two streams wait for nobody. Streams may come and go
 * at any time; in whatever order the pieces come, and however long they are, the digests are right.
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

import { createHasher, type Hasher, startsAt } from "./hasher.ts";
import { type Exports, instantiate, LANE_SIZE } from "./instance.ts";

/** Lanes of a vector. */
const LANES = 4;
const BLOCK = 64;
const DIGEST_BYTES = 32;

/** Streams with blocks from which on the vector wins over the scalar code (measured). */
const WORTHWHILE = 3;

/** Blocks that all open streams have before they are worked in without need. */
const STEADY_BLOCKS = 256;

/** A stream. To dispose of it gives its lane back without a digest; after the digest, nothing is left. */
export interface LaneHasher extends Hasher, Disposable {}

/** Four lanes: as many streams as one likes, one after another. */
export class HasherLanes {
  readonly #wasm: Exports;
  readonly #lanes: readonly Lane[];
  readonly #free: Lane[];

  constructor() {
    this.#wasm = instantiate();
    const base = this.#wasm.lanesInit();
    if (base === 0) throw new RangeError("Cannot make buffers for four digests: out of memory");
    const { buffer } = this.#wasm.memory;
    this.#lanes = Array.from({ length: LANES }, (_, index) => {
      const pointer = base + index * LANE_SIZE;
      return new Lane(index, pointer, new Uint8Array(buffer as ArrayBuffer, pointer, LANE_SIZE));
    });
    this.#free = [...this.#lanes].reverse();
  }

  /** Begins a SHA-256. While four others are open, the fifth has an instance of its own. */
  open(): LaneHasher {
    const lane = this.#free.pop();
    if (lane === undefined) return new OwnHasher();
    lane.open();
    this.#wasm.laneReset(lane.index);
    return new LaneStream({
      window: () => {
        if (lane.end > LANE_SIZE / 2) this.#makeRoom(lane);
        return lane.room;
      },
      update: (bytes) => this.#update(lane, bytes),
      digest: () => this.#digest(lane),
      close: () => {
        lane.close();
        this.#free.push(lane);
      },
    });
  }

  #update(lane: Lane, bytes: Uint8Array): void {
    if (startsAt(bytes, lane.room)) lane.add(bytes.length);
    else {
      for (let at = 0; at < bytes.length;) {
        if (lane.end === LANE_SIZE) this.#makeRoom(lane);
        at += lane.put(bytes, at);
      }
    }
    this.#settle(lane);
  }

  /** Works in what need not wait, after bytes of `lane` have come. */
  #settle(lane: Lane): void {
    const open = this.#lanes.filter((each) => each.isOpen);
    if (open.length < WORTHWHILE) {
      if (lane.blocks >= STEADY_BLOCKS) this.#alone(lane);
      return;
    }
    const count = Math.min(...open.map((each) => each.blocks));
    if (count >= STEADY_BLOCKS) this.#together(open, count);
  }

  /** Frees half of a full buffer at least, so that moving the rest down does not cost much. */
  #makeRoom(lane: Lane): void {
    while (lane.end - lane.start > LANE_SIZE / 2) this.#work(lane);
    lane.compact();
  }

  /** Works blocks of `lane` in, which has some, and with them those of others where that is faster. */
  #work(lane: Lane): void {
    const ready = this.#lanes.filter((each) => each.blocks > 0);
    if (ready.length >= WORTHWHILE) {
      this.#together(ready, Math.min(...ready.map((each) => each.blocks)));
    } else this.#alone(lane);
  }

  #alone(lane: Lane): void {
    const { blocks } = lane;
    this.#wasm.laneBlocks(lane.index, lane.pointer + lane.start, blocks);
    lane.take(blocks);
  }

  #together(ready: readonly Lane[], count: number): void {
    const mask = ready.reduce((bits, { index }) => bits | 1 << index, 0);
    // A lane that does not take part reads its own buffer, from the start of which all is readable.
    const [p0 = 0, p1 = 0, p2 = 0, p3 = 0] = this.#lanes.map((lane) =>
      lane.pointer + (ready.includes(lane) ? lane.start : 0)
    );
    this.#wasm.lanesBlocks(mask, p0, p1, p2, p3, count);
    for (const lane of ready) lane.take(count);
  }

  #digest(lane: Lane): Uint8Array {
    while (lane.blocks > 0) this.#work(lane);
    lane.compact();
    const tail = padding(lane.total);
    lane.put(tail, 0);
    this.#wasm.laneBlocks(lane.index, lane.pointer, lane.blocks);
    this.#wasm.laneDigest(lane.index, lane.pointer);
    return lane.bytes.slice(0, DIGEST_BYTES);
  }
}

/** The buffer of a lane: what waits lies from `start` to `end`. */
class Lane {
  readonly index: number;
  /** Where the buffer lies. */
  readonly pointer: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  isOpen = false;
  start = 0;
  end = 0;
  /** Bytes of the whole stream so far. */
  total = 0;

  constructor(index: number, pointer: number, bytes: Uint8Array<ArrayBuffer>) {
    this.index = index;
    this.pointer = pointer;
    this.bytes = bytes;
  }

  /** Whole blocks that wait. */
  get blocks(): number {
    return Math.floor((this.end - this.start) / BLOCK);
  }

  /** What is free of the buffer, behind what waits. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(this.end);
  }

  /** Takes `length` bytes that are in the room already. */
  add(length: number): void {
    this.end += length;
    this.total += length;
  }

  /** Takes what has room of `bytes` from `at` on, and says how much. */
  put(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + LANE_SIZE - this.end);
    this.bytes.set(part, this.end);
    this.add(part.length);
    return part.length;
  }

  take(blocks: number): void {
    this.start += blocks * BLOCK;
    if (this.start === this.end) this.start = this.end = 0;
  }

  compact(): void {
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }

  open(): void {
    this.isOpen = true;
    this.start = this.end = this.total = 0;
  }

  /** Nothing waits in a lane that is not open. */
  close(): void {
    this.isOpen = false;
    this.start = this.end = 0;
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

/** A stream that has found no lane. */
class OwnHasher implements LaneHasher {
  readonly algorithm = "sha256";
  readonly #hasher = createHasher("sha256", "wasm");

  get window(): Uint8Array<ArrayBuffer> {
    return this.#hasher.window;
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  digest(): Uint8Array {
    return this.#hasher.digest();
  }

  [Symbol.dispose](): void {}
}
