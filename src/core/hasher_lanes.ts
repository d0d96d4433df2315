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
 * What lies in the memory anyway, as another thread puts it there, is digested where it lies: see
 * {@linkcode HasherLanes.openPlaced}.
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

import { startsAt } from "./hasher.ts";
import { HASH_DIGEST } from "./instance.ts";
import {
  type EndCalls,
  type LaneHasher,
  LaneStream,
  type PlacedHasher,
  PlacedStream,
} from "./lane_hashers.ts";
import { BUFFER, createLaneMemory, SLOTS, SPARE } from "./lane_memory.ts";
import { BLOCK, Slot } from "./lane_slot.ts";
import { instantiateLanes, type LanesExports } from "./lanes_module.ts";

/** Lanes of a vector. */
export const LANES = 4;
const DIGEST_BYTES = 32;

/** Streams with blocks from which on the vector wins over the scalar code (measured). */
const WORTHWHILE = 3;

/** Blocks that each stream of a vector has where they are worked in without need. */
const STEADY_BLOCKS = 256;

/** Bytes that a window has at least. */
const WINDOW = 0x80000;

/** Blocks of a placed stream that are worked in at a time when it has to hurry. */
const HURRY_BLOCKS = 4096;

/** As many streams as one likes, beside each other and one after another. */
export class HasherLanes {
  readonly #memory: WebAssembly.Memory;
  readonly #wasm: LanesExports;
  readonly #free: Slot[];
  readonly #open = new Set<Slot>();
  /** For the streams that find no slot here. */
  #more: HasherLanes | null = null;

  /** @param memory of nobody else's lanes */
  constructor(memory: WebAssembly.Memory = createLaneMemory()) {
    this.#memory = memory;
    this.#wasm = instantiateLanes(memory);
    this.#free = Array.from({ length: SLOTS }, (_, index) => new Slot(memory, index));
  }

  /** Begins a SHA-256. */
  open(): LaneHasher {
    const slot = this.#take();
    if (slot === null) return (this.#more ??= new HasherLanes()).open();
    return new LaneStream({
      window: () => {
        // More than what is asked for, as where little is read there would be a move for each read.
        if (BUFFER - slot.end < WINDOW) this.#makeRoom(slot, WINDOW + BUFFER / 4);
        return slot.room;
      },
      room: () => BUFFER - slot.waiting,
      update: (bytes) => this.#update(slot, bytes),
      ...this.#endsOf(slot),
    });
  }

  /**
   * Begins a SHA-256 of what lies in the memory that was given to the constructor.
   *
   * @throws {RangeError} where it has as many streams as it can have
   */
  openPlaced(): PlacedHasher {
    const slot = this.#take();
    if (slot === null) throw new RangeError(`Cannot digest more than ${SLOTS} streams in a memory`);
    return new PlacedStream({
      offer: (bytes) => {
        slot.place(bytes);
        this.#settle(slot);
      },
      hurry: () => {
        if (slot.blocks > 0) this.#work(slot, Math.min(slot.blocks, HURRY_BLOCKS));
      },
      takeUsed: () => slot.takeUsed(),
      ...this.#endsOf(slot),
    });
  }

  #take(): Slot | null {
    const slot = this.#free.pop();
    if (slot === undefined) return null;
    this.#open.add(slot);
    this.#wasm.laneReset(slot.state);
    return slot;
  }

  #endsOf(slot: Slot): EndCalls {
    return {
      digest: () => this.#digest(slot),
      close: () => {
        slot.clear();
        this.#open.delete(slot);
        this.#free.push(slot);
      },
    };
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
      d?.state ?? SPARE,
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
    return new Uint8Array(this.#memory.buffer, HASH_DIGEST, DIGEST_BYTES).slice();
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
