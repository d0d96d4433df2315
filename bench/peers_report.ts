/**
 * The tables of bench/peers.ts.
 *
 * @module
 */

import { LIMIT_PARTS, NATIVE, WASM } from "./contestants.ts";
import { type Cost, medianCost } from "./measure.ts";
import { table } from "./report.ts";

/** Costs of every round, by line of the table. */
export type Figures = ReadonlyMap<string, readonly Cost[]>;

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
    ...["", "median", "fastest", "slowest", "processor", "peak memory"],
    ...["takes × layerfs (wasm, native)", "layerfs takes × this (wasm, native)"],
  ];
  const rows = [...figures].map(([name, costs]) => {
    const { seconds, cpuSeconds, peakMiB } = medianCost(costs);
    const all = costs.map((cost) => cost.seconds);
    const times = [seconds, Math.min(...all), Math.max(...all), cpuSeconds];
    return [
      name,
      ...times.map((value) => `${value.toFixed(2)} s`),
      `${peakMiB.toFixed(0)} MiB`,
      ...ratios(seconds),
    ];
  });
  const limit = limitSeconds(figures);
  const cores = navigator.hardwareConcurrency;
  const name = `limit: the parts' sum over ${cores} cores`;
  rows.push([name, `${limit.toFixed(2)} s`, "", "", "", "", ...ratios(limit)]);
  return table(head, rows);
}

/** The figures of every round. */
export function rawFigures(figures: Figures): string {
  const [first = []] = figures.values();
  const rows = [...figures].map(([name, costs]) => [
    name,
    ...costs.map(({ seconds, cpuSeconds, peakMiB }) =>
      `${seconds.toFixed(2)}, ${cpuSeconds.toFixed(2)}, ${peakMiB.toFixed(0)}`
    ),
  ]);
  return table(["", ...first.map((_, round) => `${round + 1}`)], rows);
}
