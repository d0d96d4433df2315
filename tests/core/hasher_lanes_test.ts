/** Four digests at a time, against node:crypto: every split, any order, any number of streams. */

import { assertEquals, assertThrows } from "@std/assert";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { HasherLanes, type LaneHasher, padding } from "../../src/core/hasher_lanes.ts";

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

for (const width of [1, 2, 3, 4, 6]) {
  Deno.test(`random pieces of ${width} streams in random order, lanes refilled as they end`, () => {
    const lanes = new HasherLanes();
    const running = Array.from({ length: width }, () => begin(lanes));
    for (let left = 12; running.length > 0;) {
      const index = randomInt(running.length);
      const run = running[index]!;
      const most = [2, 65, 5000, 1_500_000][randomInt(4)]!;
      const end = Math.min(run.bytes.length, run.at + randomInt(most));
      run.stream.update(run.bytes.subarray(run.at, end));
      run.at = end;
      // Small pieces would take forever to end a long message.
      if (run.at < run.bytes.length && randomInt(40) > 0) continue;
      run.stream.update(run.bytes.subarray(run.at));
      assertEquals(run.stream.digest().toHex(), oracle(run.bytes));
      running.splice(index, 1, ...left-- > 0 ? [begin(lanes)] : []);
    }
  });
}

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

Deno.test("a stream is over after its digest, and what is given up leaves nothing behind", () => {
  const lanes = new HasherLanes();
  const [given, kept] = [lanes.open(), lanes.open()];
  given.update(RANDOM);
  kept.update(RANDOM.subarray(1));
  given[Symbol.dispose]();
  given[Symbol.dispose]();
  assertThrows(() => given.update(RANDOM), TypeError, "its digest was taken");
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
