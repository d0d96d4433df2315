/** Digests side by side, against node:crypto: every split, any order, any number of streams. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { HasherLanes, padding } from "../../src/core/hasher_lanes.ts";
import type { LaneHasher } from "../../src/core/lane_hashers.ts";
import { createLaneMemory } from "../../src/core/lane_memory.ts";

const RANDOM = new Uint8Array(randomBytes(5_000_000));

function oracle(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("every length to 200 and every split of it, in each lane", () => {
  const lanes = new HasherLanes();
  for (let length = 0; length <= 200; length++) {
    // Four lanes have different messages of this length, split at the same place.
    const messages = [0, 1, 2, 3].map((i) => RANDOM.subarray(i * 1000, i * 1000 + length));
    const expected = messages.map(oracle);
    for (let split = 0; split <= length; split++) {
      const streams = messages.map(() => lanes.open());
      streams.forEach((s, i) => s.update(messages[i]!.subarray(0, split)));
      streams.forEach((s, i) => s.update(messages[i]!.subarray(split)));
      const found = streams.map((s) => s.digest().toHex());
      assertEquals(found, expected, `${length} bytes split at ${split}`);
    }
  }
});

Deno.test("a lone stream around every border of block and buffer", () => {
  const lanes = new HasherLanes();
  for (const middle of [64, 16384, 1 << 19, 1 << 20, 1 << 21]) {
    for (let length = middle - 66; length <= middle + 66; length += 11) {
      const bytes = RANDOM.subarray(0, Math.max(length, 0));
      const stream = lanes.open();
      stream.update(bytes);
      assertEquals(stream.digest().toHex(), oracle(bytes), `${length} bytes`);
    }
  }
});

interface Running {
  stream: LaneHasher;
  bytes: Uint8Array;
  at: number;
}

/** A message of random length: short, around the buffer's size, or some times as long. */
function begin(lanes: HasherLanes): Running {
  const length = randomInt([300, 70_000, 1_100_000, RANDOM.length][randomInt(4)]!);
  const start = randomInt(RANDOM.length - length + 1);
  return { stream: lanes.open(), bytes: RANDOM.subarray(start, start + length), at: 0 };
}

/**
 * Feeds in one of three ways: a view of foreign memory; by the window; by a window that was asked
 * for before another stream went on, which may have moved what waits in this one.
 */
function feed(run: Running, bytes: Uint8Array, others: readonly Running[]): void {
  const way = randomInt(3);
  if (way === 0) return run.stream.update(bytes);
  for (let at = 0; at < bytes.length;) {
    const window = run.stream.window;
    assert(window.length >= 1 << 19);
    const part = bytes.subarray(at, at + window.length);
    window.set(part);
    const other = others[randomInt(others.length)]!;
    if (way === 2 && other !== run) {
      const end = Math.min(other.bytes.length, other.at + randomInt(200_000));
      other.stream.update(other.bytes.subarray(other.at, end));
      other.at = end;
    }
    run.stream.update(window.subarray(0, part.length));
    at += part.length;
  }
}

for (const width of [1, 2, 3, 4, 6]) {
  Deno.test(`random pieces of ${width} streams in random order, lanes refilled as they end`, () => {
    const lanes = new HasherLanes();
    const running = Array.from({ length: width }, () => begin(lanes));
    for (let left = 12; running.length > 0;) {
      const index = randomInt(running.length);
      const run = running[index]!;
      const most = [2, 65, 5000, 1_500_000][randomInt(4)]!;
      const end = Math.min(run.bytes.length, run.at + randomInt(most));
      feed(run, run.bytes.subarray(run.at, end), running);
      run.at = end;
      // Small pieces would take forever to end a long message.
      if (run.at < run.bytes.length && randomInt(40) > 0) continue;
      run.stream.update(run.bytes.subarray(run.at));
      assertEquals(run.stream.digest().toHex(), oracle(run.bytes));
      running.splice(index, 1, ...left-- > 0 ? [begin(lanes)] : []);
    }
  });
}

/** Something that may happen to any of the streams that are open, of which there are up to `width`. */
function happen(lanes: HasherLanes, open: Running[], width: number): void {
  const index = randomInt(Math.max(open.length, 1));
  const run = open[index];
  const dice = randomInt(20);
  if (run === undefined || dice === 0) return void (open.length < width && open.push(begin(lanes)));
  if (dice === 1) {
    open.splice(index, 1);
    const digested = run.bytes.subarray(0, run.at);
    assertEquals(run.stream.digest().toHex(), oracle(digested), `${digested.length} bytes`);
  } else if (dice === 2 && randomInt(3) === 0) {
    open.splice(index, 1);
    run.stream[Symbol.dispose]();
  } else {
    const most = [2, 65, 20_000, 300_000, 1_500_000][randomInt(5)]!;
    const part = run.bytes.subarray(run.at, run.at + randomInt(most));
    run.at += part.length;
    if (randomInt(2) === 0) return run.stream.update(part);
    const { window } = run.stream;
    assert(window.length >= 1 << 19);
    const head = part.subarray(0, window.length);
    window.set(head);
    // The window is good for whatever the others do meanwhile, and it lies where the others' do not.
    const others = open.filter((each) => each !== run);
    for (let i = randomInt(3); i > 0; i--) happen(lanes, others, width - 1);
    open.splice(0, Infinity, run, ...others);
    run.stream.update(window.subarray(0, head.length));
    run.stream.update(part.subarray(head.length));
  }
}

for (const width of [3, 5, 8, 40]) {
  Deno.test(`up to ${width} streams, opened, fed, digested and disposed of in random order`, () => {
    const lanes = new HasherLanes();
    const open: Running[] = [];
    // With many, most of the time all are open.
    while (open.length < width) open.push(begin(lanes));
    for (let i = 0; i < 600; i++) happen(lanes, open, width);
    for (const run of open) {
      assertEquals(run.stream.digest().toHex(), oracle(run.bytes.subarray(0, run.at)));
    }
  });
}

/** Opens a stream and feeds it as many bytes. */
function fed(lanes: HasherLanes, length: number): LaneHasher {
  const stream = lanes.open();
  stream.update(RANDOM.subarray(0, length));
  return stream;
}

/** Bytes of a window where nothing waits. */
const WHOLE = new HasherLanes().open().window.length;

/**
 * Bytes of the buffers that are taken, of streams for which these are less than half: none where
 * all that came was worked.
 */
function taken(streams: readonly LaneHasher[]): number[] {
  return streams.map((stream) => WHOLE - stream.window.length);
}

Deno.test("blocks of three streams wait while more are open, until a fourth has some", () => {
  const lanes = new HasherLanes();
  const slow = [lanes.open(), lanes.open(), lanes.open()];
  const fast = [fed(lanes, 40_000), fed(lanes, 40_000), fed(lanes, 40_000)];
  assertEquals(taken([...slow, ...fast]), [0, 0, 0, 40_000, 40_000, 40_000]);
  slow[1]!.update(RANDOM.subarray(0, 40_000));
  // Of 625 blocks nothing is left: there is no rest.
  assertEquals(taken([...slow, ...fast]), [0, 0, 0, 0, 0, 0]);
  for (const stream of [slow[1]!, ...fast]) {
    assertEquals(stream.digest().toHex(), oracle(RANDOM.subarray(0, 40_000)));
  }
});

Deno.test("those four are worked that have the most", () => {
  const lanes = new HasherLanes();
  const idle = lanes.open();
  const lengths = [6400, 64_000, 64_000, 12_800, 64_000];
  const streams = lengths.map((length) => fed(lanes, length));
  // Three have enough; the other two wait with less than what is worked without need.
  assertEquals(taken(streams), lengths);
  // The fifth overtakes the first and the fourth, and is worked with the three.
  idle.update(RANDOM.subarray(0, 64_000));
  assertEquals(taken([idle, ...streams]), [0, 6400, 0, 0, 12_800, 0]);
});

Deno.test("the end of a stream takes those along that have the most", () => {
  const lanes = new HasherLanes();
  const streams = [12_800, 6400, 12_800, 9600, 12_800].map((length) => fed(lanes, length));
  const [first, short, ...others] = streams;
  assertEquals(short!.digest().toHex(), oracle(RANDOM.subarray(0, 6400)));
  // Nothing is moved yet.
  assertEquals(taken([first!, ...others]), [12_800, 12_800, 9600, 12_800]);
  assertEquals(first!.digest().toHex(), oracle(RANDOM.subarray(0, 12_800)));
  assertEquals(taken(others), [0, 9600, 0]);
});

Deno.test("a stream alone ahead of idle ones gets its room, and one of two waits for nobody", () => {
  const lanes = new HasherLanes();
  const [idle, ahead] = [lanes.open(), lanes.open()];
  ahead.update(RANDOM.subarray(0, 64_000));
  assertEquals(taken([ahead]), [0]);
  const third = lanes.open();
  ahead.update(RANDOM.subarray(64_000));
  assert(ahead.window.length >= 1 << 19);
  third[Symbol.dispose]();
  ahead.update(RANDOM.subarray(0, 64));
  assertEquals(taken([ahead]), [0]);
  const whole = createHash("sha256").update(RANDOM).update(RANDOM.subarray(0, 64)).digest("hex");
  assertEquals(ahead.digest().toHex(), whole);
  assertEquals(idle.digest().toHex(), oracle(RANDOM.subarray(0, 0)));
});

Deno.test("memory serves one stream after another, and is never grown under a window", () => {
  const lanes = new HasherLanes();
  const memories = new Set<ArrayBufferLike>();
  for (let round = 0; round < 20; round++) {
    const streams = Array.from({ length: 40 }, () => lanes.open());
    const windows = streams.map((stream) => stream.window);
    for (const window of windows) memories.add(window.buffer);
    for (const stream of streams) round % 2 ? stream.digest() : stream[Symbol.dispose]();
  }
  assertEquals(memories.size, 5);
  const whole = createLaneMemory().buffer.byteLength;
  for (const memory of memories) assertEquals(memory.byteLength, whole);
});

Deno.test("streams in turn, in pieces as long as the buffers", () => {
  const lanes = new HasherLanes();
  const lengths = [RANDOM.length, 1 << 20, 3 << 20, (1 << 21) + 13];
  const streams = lengths.map(() => lanes.open());
  for (let at = 0; at < RANDOM.length; at += 1 << 20) {
    streams.forEach((s, i) =>
      s.update(RANDOM.subarray(0, lengths[i]).subarray(at, at + (1 << 20)))
    );
  }
  const found = streams.map((s) => s.digest().toHex());
  assertEquals(found, lengths.map((length) => oracle(RANDOM.subarray(0, length))));
});

const BORDERS = [0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 16383, 16384, 16385, 65600];

Deno.test("lengths around borders in all lanes at a time, the lanes refilled in random order", () => {
  const lanes = new HasherLanes();
  const left = BORDERS.flatMap((length) => [length, length, length]);
  const running: Running[] = [];
  while (left.length > 0 || running.length > 0) {
    while (running.length < 4 && left.length > 0) {
      const [length = 0] = left.splice(randomInt(left.length), 1);
      const start = randomInt(1000);
      const bytes = RANDOM.subarray(start, start + length);
      running.push({ stream: lanes.open(), bytes, at: 0 });
    }
    const index = randomInt(running.length);
    const run = running[index]!;
    const end = Math.min(run.bytes.length, run.at + [1, 64, 20_000][randomInt(3)]!);
    feed(run, run.bytes.subarray(run.at, end), [run]);
    run.at = end;
    if (end < run.bytes.length) continue;
    assertEquals(run.stream.digest().toHex(), oracle(run.bytes), `${run.bytes.length} bytes`);
    running.splice(index, 1);
  }
});

Deno.test("a window stays good when another stream has its lane's blocks worked in", () => {
  const lanes = new HasherLanes();
  const [a, b, c] = [lanes.open(), lanes.open(), lanes.open()];
  const first = RANDOM.subarray(0, 16384);
  a.update(first);
  b.update(first);
  const window = a.window;
  c.update(first); // Now all three have enough: the lanes are empty, and `a` begins anew.
  window.set(RANDOM.subarray(16384, 16484));
  a.update(window.subarray(0, 100));
  assertEquals(a.digest().toHex(), oracle(RANDOM.subarray(0, 16484)));
  for (const stream of [b, c]) assertEquals(stream.digest().toHex(), oracle(first));
});

Deno.test("a stream is over after its digest, and what is given up leaves nothing behind", () => {
  const lanes = new HasherLanes();
  const [given, kept] = [lanes.open(), lanes.open()];
  given.update(RANDOM);
  kept.update(RANDOM.subarray(1));
  given[Symbol.dispose]();
  given[Symbol.dispose]();
  assertThrows(() => given.update(RANDOM), TypeError, "its digest was taken");
  assertThrows(() => given.window, TypeError, "its digest was taken");
  const streams = [kept, lanes.open(), lanes.open(), lanes.open()];
  for (const stream of streams.slice(1)) stream.update(RANDOM.subarray(1));
  for (const stream of streams) assertEquals(stream.digest().toHex(), oracle(RANDOM.subarray(1)));
  assertThrows(() => kept.digest(), TypeError, "its digest was taken");
});

Deno.test("what ends a message holds its length in bits, past 4 GiB and 512 MiB too", () => {
  for (const length of [0, 55, 56, 63, 64, 2 ** 29 - 1, 2 ** 29, 2 ** 32 + 56, 2 ** 52 + 1]) {
    const bytes = padding(length);
    assertEquals((length + bytes.length) % 64, 0);
    assertEquals(bytes.length <= 72, true);
    assertEquals(BigInt(`0x${bytes.slice(-8).toHex()}`), BigInt(length) * 8n);
    assertEquals(
      bytes.slice(0, -8),
      Uint8Array.from({ length: bytes.length - 8 }, (_, i) => i ? 0 : 0x80),
    );
  }
});
