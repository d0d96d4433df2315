import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ProgressLine } from "../../src/cli/progress.ts";

/** A line on a screen whose clock the test turns. */
function fake(columns = 80) {
  const written: string[] = [];
  const clock = { now: 0 };
  const line = new ProgressLine({
    write: (text) => void written.push(text),
    columns,
    now: () => clock.now,
  });
  return { line, written, clock };
}

Deno.test("the line tells layers, bytes, rate and the time left", () => {
  const { line, written, clock } = fake();
  line.show({ type: "start", layers: 3, bytes: 30_000_000 });
  assertEquals(written, ["\r\x1b[Klayers 0/3  0 B of 30 MB  0 %"]);
  clock.now = 2000;
  line.show({ type: "bytes", layer: 0, delta: 10_000_000 });
  assertEquals(written[1], "\r\x1b[Klayers 0/3  10 MB of 30 MB  33 %  5 MB/s  0:04 left");
  clock.now = 3000;
  line.show({ type: "layer", layer: 0 });
  assertStringIncludes(written[2] ?? "", "layers 1/3");
  line.show({ type: "end" });
  assertEquals(written.slice(3), ["\r\x1b[K"]);
});

Deno.test("it is drawn ten times a second at most", () => {
  const { line, written, clock } = fake();
  line.show({ type: "start", layers: 1, bytes: 1000 });
  for (clock.now = 0; clock.now < 1000; clock.now++) {
    line.show({ type: "bytes", layer: 0, delta: 1 });
  }
  assertEquals(written.length, 10);
});

Deno.test("it never wraps, and is cleared once", () => {
  const { line, written } = fake(20);
  line.show({ type: "start", layers: 1, bytes: 123_456_789 });
  assert((written[0] ?? "").length <= 19 + "\r\x1b[K".length);
  line.clear();
  line.clear();
  assertEquals(written.length, 2);
});

Deno.test("nothing is cleared where nothing was drawn", () => {
  const { line, written } = fake();
  line.clear();
  assertEquals(written, []);
});

Deno.test("more bytes than announced stay at 100 %, and unknown ones at 0", () => {
  const { line, written, clock } = fake();
  line.show({ type: "start", layers: 1, bytes: 10 });
  clock.now = 1000;
  line.show({ type: "bytes", layer: 0, delta: 20 });
  assertStringIncludes(written[1] ?? "", "100 %");
  assertStringIncludes(written[1] ?? "", "0:00 left");
  clock.now = 2000;
  line.show({ type: "start", layers: 0, bytes: 0 });
  assertStringIncludes(written[2] ?? "", " 0 %");
});
