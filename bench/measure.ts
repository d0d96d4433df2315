/**
 * What a process costs: wall time, processor time and memory, by bash and GNU time (Debian package
 * time).
 *
 * @module
 */

import { must } from "../tests/platform/harness.ts";
import { median } from "./median.ts";

/** What one process, with all those that it has waited for, has cost. */
export interface Cost {
  /** From start to exit. */
  readonly seconds: number;
  /** Of all cores, user and system. Not that of daemons, as zfs-fuse. */
  readonly cpuSeconds: number;
  /** The most memory, resident, that the largest one of the processes had at a time. */
  readonly peakMiB: number;
}

/**
 * GNU time cuts off below 10 ms; bash does not, but knows nothing of memory. Both take a millisecond,
 * where Deno takes ten for starting a program and taking what it says.
 */
const TIMED = `exec 3>&2
  TIMEFORMAT="%3R %3U %3S"
  { time /usr/bin/time --quiet --format %M --output "$1/peak" "\${@:2}" 2>&3; } 2>"$1/times"`;

/** Runs a program that must succeed. */
export async function measure(argv: readonly string[]): Promise<Cost> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-bench-" });
  try {
    await must(["bash", "-c", TIMED, "measure", directory, ...argv]);
    const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
    const [seconds = NaN, user = NaN, system = NaN] = (await read("times")).trim().split(" ").map(
      Number,
    );
    const peakMiB = Number(await read("peak")) / 1024;
    const figures = { seconds, cpuSeconds: user + system, peakMiB };
    if (Object.values(figures).some(Number.isNaN)) {
      throw new Error("Cannot read what time has said");
    }
    return figures;
  } finally {
    await Deno.remove(directory, { recursive: true });
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
