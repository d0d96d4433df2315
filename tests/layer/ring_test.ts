/** Bytes in a ring: their order, who waits for whom, and how a stream ends. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import {
  cancelRing,
  createRing,
  dropStream,
  RING_BYTES,
  RingReader,
  RingWriter,
} from "../../src/layer/ring.ts";

/** Puts bytes that count up from `first`, modulo 251, as far as there is room. */
function put(writer: RingWriter, first: number, length: number): void {
  for (let done = 0; done < length;) {
    const room = writer.reserve();
    assert(room !== null && room.length > 0);
    const count = Math.min(room.length, length - done);
    for (let i = 0; i < count; i++) room[i] = (first + done + i) % 251;
    writer.commit(count);
    done += count;
  }
}

/** Takes `length` bytes, which must count up from `first`. */
function take(reader: RingReader, first: number, length: number): void {
  for (let done = 0; done < length;) {
    const piece = reader.next(length - done);
    assert(piece.length > 0, "the stream has ended");
    assert(piece.every((byte, i) => byte === (first + done + i) % 251));
    reader.take(piece.length);
    done += piece.length;
  }
}

/** Divides a ring, so that no piece is cut in two: in one thread nobody brings what is missing. */
const STEP = RING_BYTES / 8;

Deno.test("every reader sees all bytes, at its own pace, many times around", () => {
  const ring = createRing(2);
  const writer = new RingWriter(ring);
  const readers = [new RingReader(ring, 0), new RingReader(ring, 1)] as const;
  writer.begin();
  for (const reader of readers) reader.begin();
  const total = 5 * RING_BYTES + 12345;
  let written = 0;
  const read = [0, 0];
  while (written < total) {
    const length = Math.min(STEP, total - written);
    put(writer, written, length);
    written += length;
    if (written === total) writer.end();
    // The second one is always one step behind.
    take(readers[0], read[0]!, written - read[0]!);
    take(readers[1], read[1]!, written - length - read[1]!);
    read[0] = written;
    read[1] = written - length;
  }
  take(readers[1], read[1]!, total - read[1]!);
  for (const reader of readers) {
    assertEquals(reader.next(1).length, 0);
    assertEquals(reader.outcome, "ended");
  }
});

Deno.test("streams follow one another, the empty one too, and say how they ended", () => {
  const ring = createRing(1);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring, 0);
  for (const outcome of ["ended", "failed", "dropped", "ended"] as const) {
    writer.begin();
    reader.begin();
    put(writer, 7, outcome === "failed" ? 0 : 1000);
    writer.end(outcome);
    take(reader, 7, outcome === "failed" ? 0 : 1000);
    assertEquals(reader.next(9).length, 0);
    assertEquals(reader.outcome, outcome);
    reader.finish();
  }
});

Deno.test("a reader that finishes early holds nobody up; without any, nothing is wanted", () => {
  const ring = createRing(2);
  const writer = new RingWriter(ring);
  const [early, late] = [new RingReader(ring, 0), new RingReader(ring, 1)];
  writer.begin();
  early.begin();
  late.begin();
  early.finish();
  for (let written = 0; written < 3 * RING_BYTES; written += STEP) {
    put(writer, written, STEP);
    take(late, written, STEP);
  }
  late.finish();
  assertEquals(writer.reserve(), null);
  writer.end("dropped");
  writer.begin(); // the next stream is wanted again
  assert(writer.reserve() !== null);
});

Deno.test("a dropped stream is not wanted, the next one is", () => {
  const ring = createRing(1);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring, 0);
  dropStream(ring, 0);
  writer.begin();
  reader.begin();
  assertEquals(writer.reserve(), null);
  writer.end("dropped");
  reader.finish();
  writer.begin();
  assert(writer.reserve() !== null);
});

Deno.test("cancelling ends every wait, of those who wait already as well", async () => {
  const ring = createRing(1);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring, 0);
  writer.begin();
  reader.begin();
  put(writer, 0, RING_BYTES - STEP);
  put(writer, 0, 400_000);
  const waits = writer.reserveLater().then(() => "went on", (error) => error.code);
  cancelRing(ring);
  assertEquals(await waits, "interrupted");
  for (const call of [() => writer.reserve(), () => reader.next(1), () => writer.begin()]) {
    assertEquals(assertThrows(call, LayerfsError).code, "interrupted");
  }
});

Deno.test("a writer that must not stand still goes on when there is room", async () => {
  const ring = createRing(1);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring, 0);
  await writer.beginLater();
  reader.begin();
  put(writer, 0, RING_BYTES - 1000);
  const room = writer.reserveLater();
  let isThere = false;
  room.then(() => isThere = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(isThere, false);
  take(reader, 0, STEP);
  // Atomics.waitAsync alone does not keep Deno's event loop going.
  const alive = setInterval(() => {}, 1000);
  assert((await room)!.length >= 1000);
  clearInterval(alive);
});
