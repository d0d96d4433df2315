/** Bytes in a ring: their order, who waits for whom, and how a stream ends. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { BELL, Board } from "../../src/layer/board.ts";
import { createRing, RING_BYTES, RingReader, RingWriter } from "../../src/layer/ring.ts";

/** A ring with so many readers, and who is at it. */
function open(readers: number) {
  const board = Board.create(5);
  const ring = createRing(board, BELL.inflate, [BELL.write, BELL.digest].slice(0, readers));
  return {
    board,
    writer: new RingWriter(ring),
    readers: Array.from({ length: readers }, (_, reader) => new RingReader(ring, reader)),
  };
}

/** Puts bytes that count up from `first`, modulo 251, as far as there is room. */
function put(writer: RingWriter, first: number, length: number): void {
  for (let done = 0; done < length;) {
    const room = writer.room();
    assert(room.length > 0);
    const count = Math.min(room.length, length - done);
    for (let i = 0; i < count; i++) room[i] = (first + done + i) % 251;
    writer.commit(count);
    done += count;
  }
}

/** Takes `length` bytes, which must count up from `first`. */
function take(reader: RingReader, first: number, length: number): void {
  for (let done = 0; done < length;) {
    const piece = reader.available(length - done);
    assert(piece.length > 0, "the stream has ended");
    assert(piece.every((byte, i) => byte === (first + done + i) % 251));
    reader.take(piece.length);
    done += piece.length;
  }
}

/** Divides a ring, so that no piece is cut in two: in one thread nobody brings what is missing. */
const STEP = RING_BYTES / 8;

Deno.test("every reader sees all bytes, at its own pace, many times around", () => {
  const { writer, readers: [fast, slow] } = open(2);
  writer.begin({ layer: 0, attempt: 0 });
  const total = 5 * RING_BYTES + 12345;
  let written = 0;
  const read = [0, 0];
  while (written < total) {
    const length = Math.min(STEP, total - written);
    put(writer, written, length);
    written += length;
    if (written === total) writer.end();
    // The second one is always one step behind.
    take(fast!, read[0]!, written - read[0]!);
    take(slow!, read[1]!, written - length - read[1]!);
    read[0] = written;
    read[1] = written - length;
  }
  assertEquals([fast!.isOver, slow!.isOver], [true, false]);
  take(slow!, read[1]!, total - read[1]!);
  for (const reader of [fast!, slow!]) {
    assertEquals(reader.available(1).length, 0);
    assertEquals([reader.isOver, reader.outcome], [true, "ended"]);
  }
});

Deno.test("streams follow one another, the empty one too, and say what they are and how they ended", () => {
  const { writer, readers: [reader] } = open(1);
  for (const [layer, outcome] of (["ended", "failed", "dropped", "ended"] as const).entries()) {
    assertEquals(reader!.stream, null);
    assert(writer.isFree);
    writer.begin({ layer, attempt: layer % 2 });
    assertEquals(reader!.stream, { layer, attempt: layer % 2 });
    assert(!writer.isFree);
    put(writer, 7, outcome === "failed" ? 0 : 1000);
    assertEquals(reader!.available(9).length, 0, "a crumb wakes nobody before the end");
    const length = outcome === "failed" ? 0 : 1000;
    assert(!reader!.hasAll(length), "more may come");
    writer.end(outcome);
    assertEquals([reader!.hasAll(length - 1), reader!.hasAll(length)], [false, true]);
    take(reader!, 7, outcome === "failed" ? 0 : 1000);
    assertEquals(reader!.next(9).length, 0);
    assertEquals(reader!.outcome, outcome);
    reader!.finish();
  }
});

Deno.test("a reader that finishes early holds nobody up; without any, nothing is wanted", () => {
  const { writer, readers: [early, late] } = open(2);
  writer.begin({ layer: 0, attempt: 0 });
  early!.finish();
  for (let written = 0; written < 3 * RING_BYTES; written += STEP) {
    put(writer, written, STEP);
    take(late!, written, STEP);
  }
  assert(!writer.isUnwanted);
  late!.finish();
  assert(writer.isUnwanted);
  writer.end("dropped");
  writer.begin({ layer: 1, attempt: 0 }); // the next stream is wanted again
  assert(!writer.isUnwanted);
});

Deno.test("a reader knows whether the writer waits for it, or for another one", () => {
  const { writer, readers: [slow, fast] } = open(2);
  const states = () => [slow, fast].map((reader) => [reader!.isCrowded, reader!.isHeldUp]);
  writer.begin({ layer: 0, attempt: 0 });
  for (let written = 0; written < RING_BYTES; written += STEP) {
    assertEquals(states(), [[false, false], [false, false]]);
    put(writer, written, STEP);
    take(fast!, written, STEP);
  }
  assertEquals(states(), [[true, false], [false, true]]);
  take(slow!, 0, STEP);
  assertEquals(states(), [[false, false], [false, false]]);
});

Deno.test("a layer that is dropped is not wanted, nor one that is asked for again the first time", async () => {
  const { board, writer, readers: [reader] } = open(1);
  board.drop(0);
  board.askAgain(1);
  const streams = [[0, 0, true], [1, 0, true], [1, 1, false], [2, 0, false]] as const;
  for (const [layer, attempt, isUnwanted] of streams) {
    writer.begin({ layer, attempt });
    assertEquals(writer.isUnwanted, isUnwanted);
    assertEquals(await writer.roomLater() === null, isUnwanted);
    writer.end("dropped");
    reader!.finish();
  }
});

Deno.test("cancelling ends every wait, of those who wait already as well", async () => {
  const { board, writer, readers: [reader] } = open(1);
  writer.begin({ layer: 0, attempt: 0 });
  put(writer, 0, RING_BYTES - STEP);
  put(writer, 0, 400_000);
  const waits = writer.roomLater().then(() => "went on", (error) => error.code);
  board.cancel();
  assertEquals(await waits, "interrupted");
  for (
    const call of [
      () => reader!.next(1),
      () => reader!.waitForStream(),
      () => board.checkCancelled(),
    ]
  ) {
    assertEquals(assertThrows(call, LayerfsError).code, "interrupted");
  }
});

Deno.test("a writer that must not stand still goes on when there is room", async () => {
  const { writer, readers: [reader] } = open(1);
  await writer.beginLater({ layer: 0, attempt: 0 });
  put(writer, 0, RING_BYTES - 1000);
  assertEquals(writer.room().length, 0);
  const room = writer.roomLater();
  let isThere = false;
  room.then(() => isThere = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(isThere, false);
  take(reader!, 0, STEP);
  // Atomics.waitAsync alone does not keep Deno's event loop going.
  const alive = setInterval(() => {}, 1000);
  assert((await room)!.length >= 1000);
  clearInterval(alive);
});
