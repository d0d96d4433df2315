import { assertEquals } from "@std/assert";
import { createStyle, formatBytes, formatClock, formatDuration } from "../../src/cli/style.ts";

Deno.test("sizes have the unit that suits them", () => {
  assertEquals([0, 999, 1000, 1_234_567, 999_949_999, 999_950_000, 610_000_000].map(formatBytes), [
    "0 B",
    "999 B",
    "1 kB",
    "1.2 MB",
    "999.9 MB",
    "1 GB",
    "610 MB",
  ]);
});

Deno.test("times have the unit that suits them", () => {
  assertEquals([420, 12_340, 61_000, 3_723_000].map(formatDuration), [
    "0.42 s",
    "12.3 s",
    "1:01",
    "1:02:03",
  ]);
  assertEquals([0, 59.6, 3599.7].map(formatClock), ["0:00", "1:00", "1:00:00"]);
});

Deno.test("colours are there when they are wanted", () => {
  assertEquals(createStyle(true).red("x"), "\x1b[31mx\x1b[39m");
  assertEquals(createStyle(false).red("x"), "x");
});
