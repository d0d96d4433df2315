/** Digests of what lies in the memory of the lanes, put there as into a ring, against node:crypto. */

import { assertEquals, assertThrows } from "@std/assert";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { HasherLanes } from "../../src/core/hasher_lanes.ts";
import type { LaneHasher, PlacedHasher } from "../../src/core/lane_hashers.ts";
import { createLaneMemory, placesOf, SLOTS } from "../../src/core/lane_memory.ts";

const RANDOM = new Uint8Array(randomBytes(3_000_000));

/** Bytes of a ring: few, so that every stream goes around it many times. */
const RING = 1 << 17;

function oracle(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A memory with so many rings, and lanes in it. */
function prepare(rings: number) {
  const memory = createLaneMemory(rings * RING);
  const places = placesOf(memory);
  assertEquals(places.length >= rings * RING, true);
  const place = (ring: number) => places.subarray(ring * RING, (ring + 1) * RING);
  return {
    lanes: new HasherLanes(memory),
    places: Array.from({ length: rings }, (_, i) => place(i)),
  };
}

/** A message of random length: short, about as long as the ring, or some times as long. */
function message(): Uint8Array {
  const length = randomInt([300, 2 * RING, RANDOM.length][randomInt(3)]!);
  const start = randomInt(RANDOM.length - length + 1);
  return RANDOM.subarray(start, start + length);
}

/** A message on its way through a ring. */
class Ringed {
  readonly #ring: Uint8Array<SharedArrayBuffer>;
  readonly stream: PlacedHasher;
  readonly bytes = message();
  #written = 0;
  #taken = 0;

  constructor(lanes: HasherLanes, ring: Uint8Array<SharedArrayBuffer>) {
    this.#ring = ring;
    this.stream = lanes.openPlaced();
  }

  /** Puts up to `most` bytes into the ring. */
  write(most: number): void {
    const free = RING - (this.#written - this.#taken);
    const part = this.bytes.subarray(this.#written, this.#written + Math.min(most, free));
    const at = this.#written % RING;
    this.#ring.set(part.subarray(0, RING - at), at);
    this.#ring.set(part.subarray(RING - at), 0);
    this.#written += part.length;
  }

  /** Offers what there is. @returns the digest, once all is there */
  step(): string | null {
    this.#take();
    const at = this.#taken % RING;
    const waiting = this.#written - this.#taken;
    const piece = this.#ring.subarray(at, Math.min(at + waiting, RING));
    const isLast = this.#written === this.bytes.length && piece.length === waiting;
    this.stream.offer(piece);
    if (isLast) return this.stream.digest().toHex();
    // Nobody can bring more.
    const isFull = waiting > RING - 64 || this.#written === this.bytes.length;
    if (isFull) this.stream.hurry();
    this.#take();
    return null;
  }

  /** What was used is overwritten, as the writer of a ring may. */
  #take(): void {
    const used = this.stream.takeUsed();
    for (let i = 0; i < used; i += 61) this.#ring[(this.#taken + i) % RING] = randomInt(256);
    this.#taken += used;
  }
}

for (const rings of [1, 2, 3, 4, SLOTS]) {
  Deno.test(`${rings} streams in rings, in random order, each followed by another`, () => {
    const { lanes, places } = prepare(rings);
    const running = places.map((place) => new Ringed(lanes, place));
    for (let left = 12; running.some((one) => one !== undefined);) {
      const index = randomInt(rings);
      const run = running[index];
      if (run === undefined) continue;
      run.write(randomInt([64, 5000, RING, 3 * RING][randomInt(4)]!));
      const digest = run.step();
      if (digest === null) continue;
      assertEquals(digest, oracle(run.bytes), `${run.bytes.length} bytes`);
      if (left-- > 0) running[index] = new Ringed(lanes, places[index]!);
      else delete running[index];
    }
  });
}

Deno.test("streams in rings beside others, which are opened, fed and given up in random order", () => {
  const { lanes, places } = prepare(3);
  const ringed = places.map((place) => new Ringed(lanes, place));
  const others: { stream: LaneHasher; bytes: Uint8Array; at: number }[] = [];
  for (let i = 0; i < 3000; i++) {
    const index = randomInt(3);
    const run = ringed[index]!;
    run.write(randomInt(RING));
    const digest = run.step();
    if (digest !== null) {
      assertEquals(digest, oracle(run.bytes));
      ringed[index] = new Ringed(lanes, places[index]!);
    } else if (randomInt(100) === 0) {
      run.stream[Symbol.dispose]();
      ringed[index] = new Ringed(lanes, places[index]!);
    }
    if (others.length < 4) others.push({ stream: lanes.open(), bytes: message(), at: 0 });
    const other = others[randomInt(others.length)]!;
    const end = Math.min(other.at + randomInt(50_000), other.bytes.length);
    other.stream.update(other.bytes.subarray(other.at, end));
    other.at = end;
    if (end < other.bytes.length) continue;
    others.splice(others.indexOf(other), 1);
    assertEquals(other.stream.digest().toHex(), oracle(other.bytes));
  }
});

Deno.test("what is offered is used together with what others have, and told of to each", () => {
  const { lanes, places } = prepare(4);
  const streams = places.map(() => lanes.openPlaced());
  places.forEach((place) => place.set(RANDOM.subarray(0, RING)));
  const used = () => streams.map((stream) => stream.takeUsed());
  streams.slice(0, 3).forEach((stream, i) => stream.offer(places[i]!.subarray(0, 64_000)));
  assertEquals(used(), [0, 0, 0, 0]);
  streams[3]!.offer(places[3]!.subarray(0, 32_000));
  assertEquals(used(), [32_000, 32_000, 32_000, 32_000]);
  assertEquals(used(), [0, 0, 0, 0]);
  // Three have blocks left.
  streams[1]!.offer(places[1]!.subarray(32_000, 64_000));
  streams[1]!.hurry();
  assertEquals(used(), [32_000, 32_000, 32_000, 0]);
  const rest = [64_000, 64_000, 64_000, 32_000];
  streams.forEach((stream, i) => stream.offer(places[i]!.subarray(rest[i], 100_001)));
  const found = streams.map((stream) => stream.digest().toHex());
  assertEquals(found, streams.map(() => oracle(RANDOM.subarray(0, 100_001))));
});

Deno.test("a stream that hurries goes on alone where there is no company, but not to its end", () => {
  const { lanes, places } = prepare(8);
  const [stream] = Array.from({ length: 3 }, () => lanes.openPlaced());
  const all = new Uint8Array(places[0]!.buffer, places[0]!.byteOffset, 8 * RING);
  all.set(RANDOM.subarray(0, all.length));
  stream!.offer(all);
  assertEquals(stream!.takeUsed(), 0);
  stream!.hurry();
  const used = stream!.takeUsed();
  assertEquals([used > 0, used < all.length, used % 64], [true, true, 0]);
  stream!.offer(all.subarray(used));
  assertEquals(stream!.digest().toHex(), oracle(RANDOM.subarray(0, all.length)));
});

Deno.test("a memory has room for so many streams, and after a digest for one more", () => {
  const { lanes } = prepare(1);
  const streams = Array.from({ length: SLOTS }, () => lanes.openPlaced());
  assertThrows(() => lanes.openPlaced(), RangeError, "Cannot digest more than 8 streams");
  assertEquals(streams[0]!.digest().toHex(), oracle(new Uint8Array()));
  assertThrows(() => streams[0]!.hurry(), TypeError, "its digest was taken");
  streams[1]![Symbol.dispose]();
  for (const stream of [lanes.openPlaced(), lanes.openPlaced()]) {
    assertEquals(stream.digest().toHex(), oracle(new Uint8Array()));
  }
});
