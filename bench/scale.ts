/**
 * How time and memory of `layerfs create` grow: with the number of layers, and with the size of one.
 *
 *     deno task bench:scale [--rounds N] [--largest MIB] [--write]     (root; N is 3, MIB is 2048)
 *
 * The images are made for this (sized_image.ts), on a tmpfs. Everything is unpacked on that tmpfs,
 * into a new store each time.
 *
 * Up to three layers are unpacked side by side, each in a ring of its own; the stages (inflate, digest,
 * write) run in parallel. So from three layers on, memory should depend neither on their number nor
 * on their size. A peak of more than 200 MiB ends this with status 1, after all is measured.
 *
 * `--write` puts all figures into bench/SCALE.md, and the highest peak into docs/performance.md.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { layerfsCommand, must, Work } from "../tests/platform/harness.ts";
import { type Cost, measure, medianCost } from "./measure.ts";
import { circumstances, count, fillPerformance, report, table, writeMarkdown } from "./report.ts";
import { makeImage } from "./sized_image.ts";

/** Resident memory that a create may take at its peak, whatever the image. */
const MOST_MIB = 200;

/** MiB of each layer of the images with several. */
const LAYER_MIB = 128;

const ENGINES = ["wasm", "native"] as const;

/** An image to be unpacked. */
interface Subject {
  readonly layers: number;
  readonly mib: number;
  readonly reference: string;
}

/** What was measured of it: costs of every round, by digest engine. */
type Row = readonly [Subject, Record<typeof ENGINES[number], Cost[]>];

/** One create, into a new store. */
async function create(work: string, engine: string, subject: Subject): Promise<Cost> {
  const store = `${work}/store`;
  const options = ["--store", store, "--driver", "directory", "--quiet", "--digest-engine", engine];
  const cost = await measure([...await layerfsCommand(), ...options, "create", subject.reference]);
  await must(["rm", "-rf", "--one-file-system", store]);
  return cost;
}

/** Measures one image; it is gone afterwards. */
async function measureImage(disk: string, layers: number, mib: number): Promise<Row> {
  const directory = `${disk}/image`;
  const subject = { layers, mib, reference: await makeImage(directory, layers, mib) };
  const costs: Row[1] = { wasm: [], native: [] };
  for (let round = 0; round < rounds; round++) {
    for (const engine of ENGINES) costs[engine].push(await create(disk, engine, subject));
  }
  await must(["rm", "-rf", directory]);
  return [subject, costs];
}

function tableOf(rows: readonly Row[]): string {
  const head = ["layers", "MiB each", "digests", "median", "MiB/s", "processor", "highest peak"];
  return table(
    head,
    rows.flatMap(([{ layers, mib }, costs]) =>
      ENGINES.map((engine) => {
        const { seconds, cpuSeconds } = medianCost(costs[engine]);
        const peak = Math.max(...costs[engine].map(({ peakMiB }) => peakMiB));
        return [
          `${layers}`,
          `${mib}`,
          engine,
          `${seconds.toFixed(2)} s`,
          (layers * mib / seconds).toFixed(0),
          `${cpuSeconds.toFixed(2)} s`,
          `${peak.toFixed(0)} MiB`,
        ];
      })
    ),
  );
}

const options = parseArgs(Deno.args, { string: ["rounds", "largest"], boolean: ["write"] });
const rounds = count("rounds", options.rounds, 3);
const largest = count("largest", options.largest, 2048);
const facts = await circumstances();
const byNumber: Row[] = [];
const bySize: Row[] = [];
{
  await using work = await Work.create();
  const disk = await work.tmpfs("scale", "75%");
  for (const layers of [1, 2, 4, 8].filter((layers) => layers * LAYER_MIB <= largest)) {
    byNumber.push(await measureImage(disk, layers, LAYER_MIB));
  }
  for (let mib = 64; mib <= largest; mib *= 2) bySize.push(await measureImage(disk, 1, mib));
}
const peaks = [...byNumber, ...bySize].flatMap(([_, costs]) =>
  ENGINES.flatMap((engine) => costs[engine].map(({ peakMiB }) => peakMiB))
);
const highest = Math.max(...peaks);
const isWithin = highest <= MOST_MIB;
const verdict = `The highest peak of these creates is ${highest.toFixed(0)} MiB, which is ` +
  `${isWithin ? "within" : "MORE THAN"} the ${MOST_MIB} MiB that a create may take.`;
report(`\n${tableOf(byNumber)}\n\n${tableOf(bySize)}\n\n${verdict}`);
if (options.write) {
  await writeMarkdown("SCALE.md", [
    "# Time and memory of `layerfs create` as images grow",
    "Written by `deno task bench:scale --write`; bench/scale.ts says what is timed and how. " +
    `Driver directory, tmpfs, medians of ${rounds} rounds; of memory, the highest.`,
    verdict,
    "## More layers",
    "Up to three layers are unpacked side by side; the stages of each run in parallel.",
    tableOf(byNumber),
    "## One layer, larger",
    tableOf(bySize),
    "## Circumstances",
    facts,
  ]);
  await fillPerformance("memory", verdict);
}
if (!isWithin) Deno.exit(1);
