/** Which times are set by Deno, and which are left to tar. */

import { assert, assertEquals } from "@std/assert";
import { isSettableTime } from "../../src/layer/attributes.ts";

/** Seconds, nanoseconds, and whether Deno's calls can set them. */
const TIMES: readonly (readonly [number, number, boolean])[] = [
  [0, 0, true],
  [-1, 5_000_000, true],
  [1, 5_000_001, false],
  [8_639_999_999_999, 999_000_000, true],
  [-8_639_999_999_999, 0, true],
  [8_640_000_000_001, 0, false],
  [-8_640_000_000_001, 0, false],
  [Number.MAX_SAFE_INTEGER, 0, false],
];

Deno.test("a time that no Date can have, or finer than its milliseconds, is left to tar", () => {
  for (const [seconds, nanoseconds, isSettable] of TIMES) {
    assertEquals([seconds, isSettableTime({ seconds, nanoseconds })], [seconds, isSettable]);
    const date = new Date(seconds * 1000 + nanoseconds / 1_000_000);
    if (isSettable) assert(!Number.isNaN(date.getTime()), `${seconds}`);
  }
});
