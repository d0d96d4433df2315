/**
 * Fails where something has become slower, against ratios that bench/baseline.json holds.
 *
 *     deno task bench:check               measures each ratio once; what is worse, up to twice more
 *     deno task bench:check --update      measures each five times and rewrites the baseline
 *
 * A ratio is worse where it is above its baseline by more than the noise that was seen when the
 * baseline was made. What has become slower stays so when it is measured again; what a busy machine
 * made look slower does not. What cannot be measured here, as for want of root, is said to be
 * skipped, and is in no other count; with --update it is an error, as the baseline would lack it.
 *
 * @module
 */

import {
  type Baseline,
  type BaselineRatio,
  comparison,
  isWorse,
  nameDifferences,
  summarize,
} from "./baseline.ts";
import { must } from "../tests/platform/harness.ts";
import { parseArgs } from "@std/cli/parse-args";
import { RATIO_GROUPS, type RatioGroup } from "./ratios.ts";
import { report } from "./report.ts";

const FILE = new URL("baseline.json", import.meta.url);
const ROUNDS_OF_UPDATE = 5;
const MOST_TRIES = 3;

/** A baseline with more noise than this guards little. */
const MUCH_NOISE = 0.15;

async function here(): Promise<Record<string, string>> {
  const shell = async (command: string) => (await must(["sh", "-c", command])).trim();
  return {
    date: await shell("date -u +%F"),
    deno: Deno.version.deno,
    processor: await shell("grep -m 1 'model name' /proc/cpuinfo | cut -d : -f 2"),
    cores: `${navigator.hardwareConcurrency}`,
    "SHA instructions": await shell("grep -qw sha_ni /proc/cpuinfo && echo yes || echo no"),
  };
}

async function update(): Promise<void> {
  const obstacles = RATIO_GROUPS.flatMap(({ names, obstacle }) => obstacle ? [...names] : []);
  if (obstacles.length > 0) throw new Error(`Cannot update: not to be had: ${obstacles}`);
  const measured = await here();
  const values = new Map<string, number[]>();
  for (let round = 1; round <= ROUNDS_OF_UPDATE; round++) {
    for (const group of RATIO_GROUPS) {
      for (const [i, value] of (await group.measure()).entries()) {
        const name = group.names[i]!;
        values.set(name, [...values.get(name) ?? [], value]);
        report(`${round} of ${ROUNDS_OF_UPDATE}: ${name}: ${value.toFixed(3)}`);
      }
    }
  }
  const ratios = Object.fromEntries([...values].map(([name, all]) => [name, summarize(all)]));
  for (const [name, { noise }] of Object.entries(ratios)) {
    if (noise <= MUCH_NOISE) continue;
    report(`note    ${name}: noise of ${(noise * 100).toFixed(0)} %: is the machine quiet?`);
  }
  const baseline: Baseline = { measured, ratios };
  await Deno.writeTextFile(FILE, JSON.stringify(baseline, null, 2) + "\n");
}

/** Measures a group until nothing is worse, or for the last time; says what came out. */
async function checkGroup(group: RatioGroup, ratios: Record<string, BaselineRatio>) {
  const best = group.names.map(() => Infinity);
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    for (const [i, value] of (await group.measure()).entries()) {
      best[i] = Math.min(best[i]!, value);
    }
    if (!group.names.some((name, i) => isWorse(best[i]!, ratios[name]!))) break;
  }
  return group.names.filter((name, i) => {
    const worse = isWorse(best[i]!, ratios[name]!);
    report(`${worse ? "WORSE  " : "ok     "} ${name}: ${comparison(best[i]!, ratios[name]!)}`);
    return worse;
  }).length;
}

/** @returns whether all that was measured is as good as it was */
async function check(): Promise<boolean> {
  const baseline: Baseline = JSON.parse(await Deno.readTextFile(FILE));
  const differences = nameDifferences(baseline, RATIO_GROUPS.flatMap(({ names }) => names));
  if (differences.length > 0) {
    throw new Error(`Cannot check: ${differences.join("; ")}; run this with --update`);
  }
  const now = await here();
  for (const key of ["deno", "processor", "cores", "SHA instructions"]) {
    if (now[key] !== baseline.measured[key]) {
      report(`note    ${key}: ${now[key]}, that of the baseline is ${baseline.measured[key]}`);
    }
  }
  let worse = 0;
  let skipped = 0;
  let measured = 0;
  for (const group of RATIO_GROUPS) {
    if (group.obstacle !== undefined) {
      for (const name of group.names) report(`skipped ${name}: ${group.obstacle}`);
      skipped += group.names.length;
      continue;
    }
    measured += group.names.length;
    worse += await checkGroup(group, baseline.ratios);
  }
  report(`${measured - worse} as good as the baseline, ${worse} worse, ${skipped} skipped`);
  return worse === 0;
}

if (parseArgs(Deno.args, { boolean: ["update"] }).update) await update();
else if (!await check()) Deno.exit(1);
