/**
 * The tables of bench/peers.ts.
 *
 * @module
 */

import { LIMIT_PARTS, NATIVE, WASM } from "./contestants.ts";
import { type Cost, medianCost } from "./measure.ts";
import { COST_HEADS, costCells, type Figures } from "./race.ts";
import { table } from "./report.ts";

function medianOf(figures: Figures, name: string): number {
  return medianCost(figures.get(name) ?? []).seconds;
}

/** Seconds that nobody can go below who inflates, checks and writes as its parts do. */
export function limitSeconds(figures: Figures): number {
  const parts = LIMIT_PARTS.map((name) => medianOf(figures, name));
  return parts.reduce((sum, seconds) => sum + seconds) / navigator.hardwareConcurrency;
}

/** Medians, and each as a multiple of what layerfs takes. */
export function comparison(figures: Figures): string {
  const wasm = medianOf(figures, WASM);
  const native = medianOf(figures, NATIVE);
  const ratios = (seconds: number) => [
    `${(seconds / wasm).toFixed(2)}, ${(seconds / native).toFixed(2)}`,
    `${(wasm / seconds).toFixed(2)}, ${(native / seconds).toFixed(2)}`,
  ];
  const head = [
    ...["", ...COST_HEADS],
    ...["takes × layerfs (wasm, native)", "layerfs takes × this (wasm, native)"],
  ];
  const rows = [...figures].map(([name, costs]) => {
    return [name, ...costCells(costs), ...ratios(medianCost(costs).seconds)];
  });
  const limit = limitSeconds(figures);
  const cores = navigator.hardwareConcurrency;
  const name = `limit: the parts' sum over ${cores} cores`;
  rows.push([name, `${limit.toFixed(2)} s`, "", "", "", "", ...ratios(limit)]);
  return table(head, rows);
}

/** Whom docs/performance.md compares layerfs with, if they have taken part. */
const SHORT = [
  ...["umoci unpack", "buildah pull (overlay)", "buildah pull + from (overlay)"],
  ...["buildah pull (vfs)", "gzip -dc, tar -x"],
];

/** For docs/performance.md: how many times as long as layerfs (wasm; native) others take. */
export function shortComparison(results: readonly (readonly [place: string, Figures])[]): string {
  const ratios = (figures: Figures, seconds: number) =>
    [WASM, NATIVE].map((name) => (seconds / medianOf(figures, name)).toFixed(2)).join("; ");
  const rows = SHORT.map((name) => [
    name,
    ...results.map(([_, figures]) =>
      figures.has(name) ? ratios(figures, medianOf(figures, name)) : "-"
    ),
  ]);
  rows.push([
    "the limit",
    ...results.map(([_, figures]) => ratios(figures, limitSeconds(figures))),
  ]);
  const processor = results.map(([_, figures]) =>
    ratiosOfProcessor(figures.get("umoci unpack") ?? [], figures)
  );
  rows.push(["umoci unpack, processor time", ...processor]);
  return table(["", ...results.map(([place]) => place)], rows);
}

function ratiosOfProcessor(other: readonly Cost[], figures: Figures): string {
  const { cpuSeconds } = medianCost(other);
  return [WASM, NATIVE].map((name) =>
    (cpuSeconds / medianCost(figures.get(name) ?? []).cpuSeconds).toFixed(2)
  ).join("; ");
}
