/**
 * Races between programs that do the same work: rounds in which each runs once, in an order that
 * moves on, and their figures as Markdown.
 *
 * @module
 */

import { must } from "../tests/platform/harness.ts";
import { type Cost, inTurn, measure, medianCost } from "./measure.ts";
import { report, table } from "./report.ts";

/** A part of a contestant's work. Its cost is that of all parts up to this one. */
export interface Step {
  /** Name of its line in the tables. */
  readonly name: string;
  readonly argv: readonly string[];
}

/** One who takes part. */
export interface Contestant {
  /** What leaves its result in the directory `out`, which is new and empty. */
  steps(out: string): readonly Step[];
  /** Ends what the steps leave beside files: mounts, datasets. */
  cleanUp?(out: string): readonly string[];
}

/** Costs of every round, by line of the tables. */
export type Figures = ReadonlyMap<string, readonly Cost[]>;

/**
 * Runs all rounds. `sync` before each contestant and the removal of its result are not timed.
 *
 * @param out the directory for results, which is made anew each time
 * @param place begins the lines that tell of each turn
 */
export async function race(
  field: readonly Contestant[],
  rounds: number,
  out: string,
  place: string,
): Promise<Figures> {
  const names = field.flatMap(({ steps }) => steps("").map(({ name }) => name));
  const figures = new Map(names.map((name) => [name, [] as Cost[]]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < field.length; turn++) {
      for (const [name, cost] of await run(field[(round + turn) % field.length]!, out)) {
        figures.get(name)!.push(cost);
        report(`${place}, round ${round + 1}: ${name.padEnd(38)} ${cost.seconds.toFixed(2)} s`);
      }
    }
  }
  return figures;
}

/** What the steps of one contestant cost, each with those before it. */
async function run(contestant: Contestant, out: string): Promise<[name: string, cost: Cost][]> {
  await Deno.mkdir(out);
  await must(["sync", "--file-system", out]);
  const costs: Cost[] = [];
  const lines: [string, Cost][] = [];
  for (const { name, argv } of contestant.steps(out)) {
    costs.push(await measure(argv));
    lines.push([name, inTurn(costs)]);
  }
  if (contestant.cleanUp) await must(contestant.cleanUp(out));
  await must(["rm", "-rf", "--one-file-system", out]);
  return lines;
}

/** Heads of {@linkcode costCells}. */
export const COST_HEADS = ["median", "fastest", "slowest", "processor", "peak memory"] as const;

/** What a line of a table says of the costs of all rounds. */
export function costCells(costs: readonly Cost[]): string[] {
  const { seconds, cpuSeconds, peakMiB } = medianCost(costs);
  const all = costs.map((cost) => cost.seconds);
  const times = [seconds, Math.min(...all), Math.max(...all), cpuSeconds];
  return [...times.map((value) => `${value.toFixed(2)} s`), `${peakMiB.toFixed(0)} MiB`];
}

/** What {@linkcode rawFigures} has in its cells. */
export const RAW_CELLS =
  "Seconds, processor seconds (user and system), MiB of the largest process at its peak.";

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
