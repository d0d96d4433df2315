/**
 * What a process costs: wall time, processor time and memory, by GNU time (Debian package time).
 *
 * @module
 */

import { must } from "../tests/platform/harness.ts";
import { median } from "./median.ts";

/** What one process, with all those that it has waited for, has cost. */
export interface Cost {
  /** From start to exit. */
  readonly seconds: number;
  /** Of all cores, user and system, in hundredths. Not that of daemons, as zfs-fuse. */
  readonly cpuSeconds: number;
  /** The most memory, resident, that the largest one of the processes had at a time. */
  readonly peakMiB: number;
}

/** Runs a program that must succeed. */
export async function measure(argv: readonly string[]): Promise<Cost> {
  const file = await Deno.makeTempFile({ prefix: "layerfs-bench-" });
  try {
    const start = performance.now();
    await must(["/usr/bin/time", "--format", "%U %S %M", "--output", file, ...argv]);
    const seconds = (performance.now() - start) / 1000;
    const numbers = (await Deno.readTextFile(file)).trim().split(" ").map(Number);
    const [user = NaN, system = NaN, kibibytes = NaN] = numbers;
    return { seconds, cpuSeconds: user + system, peakMiB: kibibytes / 1024 };
  } finally {
    await Deno.remove(file);
  }
}

/** What processes cost that run one after the other. */
export function inTurn(costs: readonly Cost[]): Cost {
  return costs.reduce((all, one) => ({
    seconds: all.seconds + one.seconds,
    cpuSeconds: all.cpuSeconds + one.cpuSeconds,
    peakMiB: Math.max(all.peakMiB, one.peakMiB),
  }));
}

/** The medians of each kind of cost. */
export function medianCost(costs: readonly Cost[]): Cost {
  return {
    seconds: median(costs.map(({ seconds }) => seconds)),
    cpuSeconds: median(costs.map(({ cpuSeconds }) => cpuSeconds)),
    peakMiB: median(costs.map(({ peakMiB }) => peakMiB)),
  };
}
