/**
 * Times how programs start, as multiples of the least that Deno takes, `deno eval 0`.
 *
 *     deno task bench:startup [--rounds N] [--write]     (N is 31)
 *
 * All run once a round, in turn. What is loaded by the way is measured by `deno eval` of its import.
 * The compiled binary takes part where `deno task compile` has made one. `--write` puts all figures
 * into bench/STARTUP.md and docs/performance.md.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { layerfsCommand, REPOSITORY } from "../tests/platform/harness.ts";
import { type Cost, measure } from "./measure.ts";
import { median } from "./median.ts";
import { circumstances, count, fillPerformance, report, table, writeMarkdown } from "./report.ts";

/** Who starts, the reference first. */
async function contenders(): Promise<[name: string, argv: readonly string[]][]> {
  const deno = Deno.execPath();
  const command = await layerfsCommand();
  const [run, flags] = [command.slice(0, 2), command.slice(2, -1)];
  const evaluate = (code: string) => [deno, "eval", "--quiet", code];
  const instance = new URL("../src/core/instance.ts", import.meta.url).href;
  const field: [string, readonly string[]][] = [
    ["deno eval 0", [deno, "eval", "0"]],
    ["layerfs --version", [...command, "--version"]],
    ["the same without V8's code cache", [
      ...run,
      "--no-code-cache",
      ...command.slice(2),
      "--version",
    ]],
    ["mod.ts --version: the whole library", [
      ...run,
      ...flags,
      `${REPOSITORY}/mod.ts`,
      "--version",
    ]],
    ["layerfs create --help", [...command, "create", "--help"]],
    ["layerfs info", [...command, "--store", "/nonexistent", "info"]],
    ["loading node:fs", evaluate(`await import("node:fs")`)],
    ["loading the WASM module, compiled", evaluate(`await import("${instance}")`)],
    [
      "loading it and making an instance",
      evaluate(`(await import("${instance}")).instantiate()`),
    ],
  ];
  const compiled = `${REPOSITORY}/dist/layerfs`;
  const isThere = await Deno.stat(compiled).then(({ isFile }) => isFile, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
  if (isThere) field.push(["dist/layerfs --version, compiled", [compiled, "--version"]]);
  else report("dist/layerfs is left out: deno task compile has not made it");
  return field;
}

const options = parseArgs(Deno.args, { string: ["rounds"], boolean: ["write"] });
const rounds = count("rounds", options.rounds, 31);
const facts = await circumstances();
const field = await contenders();
const costs = new Map(field.map(([name]) => [name, [] as Cost[]]));
// The first round fills caches.
for (let round = -1; round < rounds; round++) {
  for (const [name, argv] of field) {
    const cost = await measure(argv);
    if (round >= 0) costs.get(name)!.push(cost);
  }
}
const wall = (name: string) => median(costs.get(name)!.map(({ seconds }) => seconds)) * 1000;
const processor = (name: string) =>
  median(costs.get(name)!.map(({ cpuSeconds }) => cpuSeconds)) * 1000;
const reference = field[0]![0];
const result = table(
  ["", "median", "× deno eval 0", "processor", "× deno eval 0"],
  field.map(([name]) => [
    name,
    `${wall(name).toFixed(0)} ms`,
    (wall(name) / wall(reference)).toFixed(2),
    `${processor(name).toFixed(0)} ms`,
    (processor(name) / processor(reference)).toFixed(2),
  ]),
);
report(`\n${result}`);
if (options.write) {
  await writeMarkdown("STARTUP.md", [
    "# How long layerfs takes to start",
    "Written by `deno task bench:startup --write`; bench/startup.ts says what is timed and how. " +
    `Whole processes, medians of ${rounds} rounds.`,
    result,
    "## Circumstances",
    facts,
  ]);
  await fillPerformance("startup", result);
}
