/**
 * Times the commands of layerfs where images are large and stores are full.
 *
 *     deno task bench:layerfs [--rounds N] [--layers N] [--containers N]     (root)
 *
 * 1. Warm create: a second container of an image with 1,000 and with 100,000 files. It is a clone or
 *    an overlay of what is there, so that the two take the same.
 * 2. ps, layers, gc --dry-run and df in stores with more and more layers and containers: the sizes
 *    grow tenfold from step to step, and the growth is printed.
 *
 * All with the drivers overlay and zfs; the latter where LAYERFS_TEST_POOL names a pool, which the
 * task makes by zfs-fuse. Times are of whole processes, from
 * start to exit, medians of N rounds (11).
 *
 * The many layers are empty. With ZFS they are datasets and snapshots that `zfs` makes with the
 * properties that the driver gives them, with the driver's own files about them, and are never
 * mounted; with overlay they are directories
 * with a record. Containers are made by `layerfs create`; from 100 on, by the library in one process.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { createHash } from "node:crypto";
import { createContainer } from "../src/container/create.ts";
import { NO_OVERRIDES } from "../src/container/overrides.ts";
import { NO_TRAITS } from "../src/layer/traits.ts";
import { parseDigest } from "../src/oci/digest.ts";
import { layerName, type LayerRecord } from "../src/store/layer_record.ts";
import { LayerIndex } from "../src/store/zfs/layer_index.ts";
import { recordOptions } from "../src/store/zfs/layer_properties.ts";
import { imageLayout } from "../tests/fixtures/image.ts";
import { dir, file, tarball } from "../tests/fixtures/tar.ts";
import { layerfsCommand, must, run, Work } from "../tests/platform/harness.ts";
import { measure } from "./measure.ts";
import { median } from "./median.ts";
import { count, report } from "./report.ts";

/** A store to be measured. */
interface Subject {
  readonly driver: "overlay" | "zfs";
  readonly store: string;
  readonly dataset?: string;
}

/** Milliseconds by what was timed. */
type Row = readonly [what: string, milliseconds: number];

/** What is timed in stores that grow. */
const LISTINGS = [["ps"], ["layers"], ["gc", "--dry-run"], ["df"]] as const;

/** The command line of layerfs for a store. */
async function argv(subject: Subject, args: readonly string[]): Promise<string[]> {
  const { driver, store, dataset } = subject;
  const options = ["--store", store, "--driver", driver];
  if (dataset !== undefined) options.push("--dataset", dataset);
  return [...await layerfsCommand(), ...options, "--json", ...args];
}

/** A new store; `work` removes it. */
function subject(work: Work, driver: Subject["driver"], name: string): Subject {
  const store = work.path(`${driver}-${name}`);
  const pool = Deno.env.get("LAYERFS_TEST_POOL");
  const made = driver === "zfs"
    ? { driver, store, dataset: `${pool}/bench-${Deno.pid}-${name}` }
    : { driver, store };
  work.defer(() => remove(made));
  return made;
}

async function remove({ store, dataset }: Subject): Promise<void> {
  const script =
    `grep -o " $0/[^ ]*/rootfs " /proc/self/mountinfo | xargs --no-run-if-empty umount`;
  await must(["bash", "-c", script, store]);
  if (dataset === undefined) return;
  for (let tries = 0;; tries++) {
    const { code, stderr } = await run(["zfs", "destroy", "-R", "-f", dataset]);
    if (code === 0 || stderr.includes("does not exist")) return;
    if (tries === 20) throw new Error(stderr);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Milliseconds of one process. */
async function time(command: readonly string[]): Promise<number> {
  return (await measure(command)).seconds * 1000;
}

/** An image with so many files, a hundred a directory. */
function imageWith(work: Work, files: number): string {
  const members = Array.from({ length: files }, (_, i) => {
    const place = `d${i / 100 | 0}`;
    const one = file(`${place}/${i}`, `${i}\n`);
    return i % 100 === 0 ? [dir(place), one] : [one];
  }).flat();
  return imageLayout(work.path(`image${files}`), { layers: [{ tar: tarball(members) }] }).reference;
}

/** Warm creates, of the two images in turn. */
async function warmCreates(work: Work, driver: Subject["driver"], rounds: number): Promise<Row[]> {
  const figures = new Map<number, number[]>([[1_000, []], [100_000, []]]);
  const store = subject(work, driver, "warm");
  const images = new Map([...figures.keys()].map((files) => [files, imageWith(work, files)]));
  for (const image of images.values()) await must(await argv(store, ["create", image]));
  for (let round = 0; round < rounds; round++) {
    for (const [files, image] of images) {
      figures.get(files)?.push(await time(await argv(store, ["create", image])));
    }
  }
  return [...figures].map(([files, values]) => [
    `warm create, ${files.toLocaleString("en")} files`,
    median(values),
  ]);
}

/** Records of empty layers that nobody has; every tenth begins a stack of ten. */
function records(first: number, end: number): LayerRecord[] {
  const idOf = (i: number) =>
    parseDigest(`sha256:${createHash("sha256").update(`layer ${i}`).digest("hex")}`);
  return Array.from({ length: end - first }, (_, n) => {
    const i = first + n;
    const parent = i % 10 === 0 ? null : idOf(i - 1);
    return { chainId: idOf(i), diffId: idOf(i), parent, traits: NO_TRAITS };
  });
}

/** Puts layers into a store, as its driver would. */
async function addLayers({ driver, store, dataset }: Subject, first: number, end: number) {
  const layers = records(first, end);
  if (driver === "zfs") {
    const commands = layers.flatMap((layer) => {
      const name = `${dataset}/layers/${layerName(layer.chainId)}`;
      const options = ["-o canmount=noauto", `-o mountpoint=none`].join(" ");
      const made = layer.parent === null
        ? `zfs create ${options} ${name}`
        : `zfs clone ${options} ${dataset}/layers/${layerName(layer.parent)}@layer ${name}`;
      const properties = recordOptions(layer).map((word) => `'${word}'`).join(" ");
      return [made, `zfs snapshot ${properties} ${name}@layer`];
    });
    const script = `${store}.commands`;
    await Deno.writeTextFile(script, ["set -e", ...commands].join("\n"));
    await must(["bash", script]);
    const index = new LayerIndex(`${store}/layers`);
    for (const layer of layers) index.write({ ...layer, bytes: 0 });
    return;
  }
  for (const layer of layers) {
    const place = `${store}/layers/${layerName(layer.chainId)}`;
    await Deno.mkdir(`${place}/diff`, { recursive: true });
    const record = { version: 1, ...layer, bytes: 0 };
    await Deno.writeTextFile(`${place}/layer.json`, JSON.stringify(record));
  }
}

/** Makes containers in this process. */
async function addContainers(work: Work, subject: Subject, first: number, end: number) {
  for (let i = first; i < end; i++) {
    await createContainer({
      ...subject,
      engine: "wasm",
      name: `c${i}`,
      image: `oci:${work.path("image10")}`,
      overrides: NO_OVERRIDES,
      command: [],
      signal: new AbortController().signal,
    });
  }
}

/** The listings in a store that grows. */
async function growth(
  work: Work,
  driver: Subject["driver"],
  steps: readonly (readonly [layers: number, containers: number])[],
  rounds: number,
): Promise<void> {
  const store = subject(work, driver, "full");
  imageWith(work, 10);
  let layers = 0;
  let containers = 0;
  const heads = ["layers", "containers", ...LISTINGS.map((words) => words.join(" ")), "building"];
  report(`\n${driver}:\n\n| ${heads.join(" | ")} |\n|${"--:|".repeat(heads.length)}`);
  for (const [moreLayers, moreContainers] of steps) {
    const started = performance.now();
    // The first container brings the store, and a layer of its own.
    await addContainers(work, store, containers, moreContainers);
    await addLayers(store, layers, moreLayers - 1);
    [layers, containers] = [moreLayers - 1, moreContainers];
    const building = performance.now() - started;
    const cells: number[] = [];
    for (const words of LISTINGS) {
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) times.push(await time(await argv(store, words)));
      cells.push(median(times));
    }
    const texts = [...cells, building].map((ms) => `${(ms / 1000).toFixed(2)} s`);
    report(`| ${moreLayers} | ${moreContainers} | ${texts.join(" | ")} |`);
  }
}

const options = parseArgs(Deno.args, { string: ["rounds", "layers", "containers"] });
const rounds = count("rounds", options.rounds, 11);
const most = [
  count("layers", options.layers, 10_000),
  count("containers", options.containers, 900),
] as const;
const steps = [[100, 10], [1_000, 100], [10_000, 900]].map(([layers = 0, containers = 0]) =>
  [Math.min(layers, most[0]), Math.min(containers, most[1])] as const
).filter(([layers, containers], index, all) => {
  const [fewer, less] = all[index - 1] ?? [0, 0];
  return layers > fewer || containers > less;
});
const hasPool = Deno.env.get("LAYERFS_TEST_POOL") !== undefined;
const drivers = hasPool ? ["zfs", "overlay"] as const : ["overlay"] as const;
if (!hasPool) report("zfs is left out: LAYERFS_TEST_POOL names no pool");
for (const driver of drivers) {
  await using work = await Work.create();
  report(`\n${driver}:\n\n| | median |\n|---|--:|`);
  for (const [what, milliseconds] of await warmCreates(work, driver, rounds)) {
    report(`| ${what} | ${milliseconds.toFixed(0)} ms |`);
  }
}
for (const driver of drivers) {
  await using work = await Work.create();
  await growth(work, driver, steps, Math.min(rounds, 5));
}
