import { assert, assertEquals } from "@std/assert";
import { isWorse, LEAST_NOISE, nameDifferences, summarize } from "../../bench/baseline.ts";

Deno.test("a baseline is the median, its noise the spread", () => {
  const { ratio, noise } = summarize([2, 1, 1.1, 0.9, 1.2]);
  assertEquals(ratio, 1.1);
  assertEquals(noise, 1);
});

Deno.test("values that lie together by chance leave some noise", () => {
  assertEquals(summarize([1, 1, 1]), { ratio: 1, noise: LEAST_NOISE });
});

Deno.test("a ratio is worse beyond the noise only, and never for being better", () => {
  const baseline = { ratio: 2, noise: 0.1 };
  assertEquals([0.1, 2, 2.2, 2.21, 4].map((value) => isWorse(value, baseline)), [
    ...[false, false, false],
    ...[true, true],
  ]);
  assert(isWorse(NaN, baseline), "a measurement that failed");
});

Deno.test("no ratio goes without a baseline, and no baseline without a ratio", () => {
  const baseline = { measured: {}, ratios: { a: { ratio: 1, noise: 0 } } };
  assertEquals(nameDifferences(baseline, ["a"]), []);
  assertEquals(nameDifferences(baseline, ["a", "b"]), ["b: has no baseline"]);
  assertEquals(nameDifferences(baseline, []), ["a: is measured no more"]);
});
