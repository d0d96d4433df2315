/**
 * What bench/baseline.json holds, and when a ratio is worse than it. Ratios are of times, of ours to
 * that of something else which does the like in the same run: the smaller, the better.
 *
 * @module
 */

import { median } from "./median.ts";

/** One ratio as it was, and how far its values lay apart: (highest - lowest) / median. */
export interface BaselineRatio {
  readonly ratio: number;
  readonly noise: number;
}

/** The file. */
export interface Baseline {
  /** Where and when: ratios are comparable on processors of one kind. */
  readonly measured: Readonly<Record<string, string>>;
  readonly ratios: Readonly<Record<string, BaselineRatio>>;
}

/** Noise that is always allowed for: five values may lie close together by chance. */
export const LEAST_NOISE = 0.03;

/** The baseline of a ratio that came out as `values`. */
export function summarize(values: readonly number[]): BaselineRatio {
  const ratio = median(values);
  const spread = (Math.max(...values) - Math.min(...values)) / ratio;
  const rounded = (value: number) => Number(value.toPrecision(4));
  return { ratio: rounded(ratio), noise: rounded(Math.max(spread, LEAST_NOISE)) };
}

/** Whether a ratio is worse than its baseline by more than the noise. */
export function isWorse(value: number, { ratio, noise }: BaselineRatio): boolean {
  // So that NaN, a measurement that failed, is worse too.
  return !(value <= ratio * (1 + noise));
}

/** How a ratio compares, for people: `0.532, baseline 0.500 ± 8 %: +6 %`. */
export function comparison(value: number, { ratio, noise }: BaselineRatio): string {
  const change = (value / ratio - 1) * 100;
  const percent = `${change < 0 ? "" : "+"}${change.toFixed(0)} %`;
  return `${value.toFixed(3)}, baseline ${ratio.toFixed(3)} ± ${
    (noise * 100).toFixed(0)
  } %: ${percent}`;
}

/** Names that only one of the two has: nothing may go unchecked for want of a baseline. */
export function nameDifferences(baseline: Baseline, names: readonly string[]): string[] {
  const known = Object.keys(baseline.ratios);
  return [
    ...names.filter((name) => !known.includes(name)).map((name) => `${name}: has no baseline`),
    ...known.filter((name) => !names.includes(name)).map((name) => `${name}: is measured no more`),
  ];
}
