/**
 * Races between programs that do the same work: rounds in which each runs once, in an order that
 * moves on, and their figures as Markdown.
 *
 * @module
 */

import { must } from "../tests/platform/harness.ts";
import { median } from "./median.ts";
import { report } from "./report.ts";

/** One who takes part. */
export interface Contestant {
  name: string;
  /** Command line that leaves its result in the directory `out`, which is new and empty. */
  argv(out: string): string[];
  /** Ends what the command leaves beside files. */
  cleanUp?(out: string): string[];
}

/** Seconds of every round, by contestant. */
export type Figures = Map<string, number[]>;

/**
 * Runs all rounds.
 *
 * @param out the directory for results, which is made anew each time
 */
export async function race(
  field: readonly Contestant[],
  rounds: number,
  out: string,
): Promise<Figures> {
  const figures: Figures = new Map(field.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < field.length; turn++) {
      const contestant = field[(round + turn) % field.length];
      if (contestant === undefined) continue;
      const seconds = await time(contestant, out);
      figures.get(contestant.name)?.push(seconds);
      report(`round ${round + 1}: ${contestant.name.padEnd(26)} ${seconds.toFixed(2)} s`);
    }
  }
  return figures;
}

/** Seconds that one contestant takes. Removing its result is not timed. */
async function time(contestant: Contestant, out: string): Promise<number> {
  await Deno.mkdir(out);
  const start = performance.now();
  await must(contestant.argv(out));
  const seconds = (performance.now() - start) / 1000;
  if (contestant.cleanUp) await must(contestant.cleanUp(out));
  await must(["rm", "-rf", "--one-file-system", out]);
  return seconds;
}

/** Medians, and how many times as long as the first contestant each takes, as a Markdown table. */
export function table(figures: Figures): string {
  const [first] = figures.values();
  const lines = ["| | median | fastest | slowest | times layerfs |", "|---|--:|--:|--:|--:|"];
  for (const [name, values] of figures) {
    const middle = median(values);
    const cells = [middle, Math.min(...values), Math.max(...values)].map((s) =>
      `${s.toFixed(2)} s`
    );
    const ratio = (middle / median(first ?? [])).toFixed(2);
    lines.push(`| ${name} | ${cells.join(" | ")} | ${ratio} |`);
  }
  return lines.join("\n");
}

/** The seconds of every round, as a Markdown table. */
export function roundTable(figures: Figures): string {
  const raw = [...figures].map(([name, values]) =>
    `| ${name} | ${values.map((seconds) => seconds.toFixed(2)).join(" | ")} |`
  );
  const rounds = [...figures.values()][0]?.map((_, index) => index + 1) ?? [];
  return [`| | ${rounds.join(" | ")} |`, `|---|${rounds.map(() => "--:|").join("")}`, ...raw]
    .join("\n");
}
