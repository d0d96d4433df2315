/**
 * Times `layerfs pull` from a registry side by side with others that fetch the same image, in turn,
 * and takes the peak memory of pull and of one-shot create for a small image and for a large one.
 *
 *     deno task bench:registry [--rounds N] [--write]     (root; N is 5 unless said otherwise)
 *
 * The image is "bench" of the platform tests (tests/platform/image.sh); Debian's docker-registry has
 * it, on loopback, without TLS; its files have just been written, and are in the page cache. Results
 * are on a tmpfs, so that no disk is measured. In each round every contestant runs once, in an order
 * that moves on from round to round; `sync` before it and the removal of its result are not timed.
 * Times are of whole processes, from start to exit.
 *
 * What each does, as it matters when the figures are read:
 *
 * - layerfs pull: digests of all blobs checked (in WebAssembly, or by node:crypto), each blob synced
 *   to disk, four at a time; the layers stay compressed.
 * - skopeo copy to a layout: digests checked, six blobs at a time; the layers stay compressed.
 * - buildah pull, overlay storage: digests checked, and the layers unpacked, which the others leave
 *   for later.
 *
 * Memory is measured by images of four layers of equal size (sized_image.ts): as many blobs are on
 * their way at a time. It is that of the largest process at its peak (getrusage(2)), the highest of all
 * rounds. Whatever their size, it should be the same.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { image, layerfsCommand, must, Work } from "../tests/platform/harness.ts";
import { RegistryServer } from "../tests/platform/registry_server.ts";
import { measure, medianCost } from "./measure.ts";
import {
  type Contestant,
  COST_HEADS,
  costCells,
  type Figures,
  race,
  RAW_CELLS,
  rawFigures,
} from "./race.ts";
import { circumstances, count, report, table, writeMarkdown } from "./report.ts";
import { makeImage } from "./sized_image.ts";

const ENGINES = ["wasm", "native"] as const;

/** Layers of the images by which memory is measured, and MiB of each, unpacked. */
const LAYERS = 4;
const LAYER_MIB = [2, 128] as const;

/** The highest peak of one command with one digest engine, in MiB. */
interface Peak {
  readonly command: string;
  readonly engine: string;
  /** Of each image, in the order of {@linkcode LAYER_MIB}. */
  readonly mib: readonly number[];
}

/** What a run of the benchmark found. */
interface Found {
  readonly figures: Figures;
  readonly peaks: readonly Peak[];
  /** MiB of the blobs of each image by which memory was measured. */
  readonly sizes: readonly number[];
}

/** layerfs with a store of its own. */
function layerfsOn(layerfs: readonly string[], store: string, engine: string): string[] {
  const options = ["--store", store, "--driver", "directory", "--quiet"];
  return [...layerfs, ...options, "--digest-engine", engine];
}

/** Everyone who takes part. */
function contestants(layerfs: readonly string[], name: string): Contestant[] {
  const pull = (engine: string): Contestant => ({
    steps: (out) => [{
      name: `layerfs pull (${engine})`,
      argv: [...layerfsOn(layerfs, `${out}/store`, engine), "pull", "--tls-verify=false", name],
    }],
  });
  const buildah = (out: string) => {
    const places = ["--root", `${out}/root`, "--runroot", `${out}/run`];
    return ["buildah", ...places, "--storage-driver", "overlay"];
  };
  return [
    ...ENGINES.map(pull),
    {
      steps: (out) => [{
        name: "skopeo copy (oci)",
        argv: [
          ...["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"],
          ...[`docker://${name}`, `oci:${out}/layout:bench`],
        ],
      }],
    },
    {
      steps: (out) => [{
        name: "buildah pull (overlay)",
        argv: [...buildah(out), "pull", "--quiet", "--tls-verify=false", `docker://${name}`],
      }],
      cleanUp: (out) => [...buildah(out), "rmi", "--all", "--force"],
    },
  ];
}

/** Pushes an image. @returns MiB of its blobs */
async function push(layerfs: readonly string[], from: string, name: string): Promise<number> {
  const copy = [...layerfs, "--json", "copy", "--tls-verify=false", from, `docker://${name}`];
  return JSON.parse(await must(copy)).copied.bytes / 1048576;
}

/** The peaks of pull and one-shot create, each into a new store, for the images of these names. */
async function measurePeaks(
  layerfs: readonly string[],
  names: readonly string[],
  disk: string,
  rounds: number,
): Promise<Peak[]> {
  const store = `${disk}/store`;
  const peaks: Peak[] = [];
  for (const command of ["pull", "create"]) {
    for (const engine of ENGINES) {
      const mib = names.map(() => 0);
      for (let round = 0; round < rounds; round++) {
        for (const [i, name] of names.entries()) {
          const argv = [command, "--tls-verify=false", `docker://${name}`];
          const { peakMiB } = await measure([...layerfsOn(layerfs, store, engine), ...argv]);
          mib[i] = Math.max(mib[i]!, peakMiB);
          await must(["rm", "-rf", "--one-file-system", store]);
        }
      }
      peaks.push({ command, engine, mib });
    }
  }
  return peaks;
}

/** Runs all rounds on a tmpfs. */
async function measureAll(rounds: number): Promise<Found> {
  await using work = await Work.create();
  const disk = await work.tmpfs("bench", "75%");
  await using registry = await RegistryServer.start();
  const layerfs = await layerfsCommand();
  const name = `${registry.host}/bench:1`;
  await push(layerfs, await image("bench"), name);
  const figures = await race(contestants(layerfs, name), rounds, `${disk}/out`, "tmpfs");
  const names = LAYER_MIB.map((mib) => `${registry.host}/sized:${mib}`);
  const sizes: number[] = [];
  for (const [i, mib] of LAYER_MIB.entries()) {
    const made = await makeImage(`${disk}/image`, LAYERS, mib);
    sizes.push(await push(layerfs, made, names[i]!));
    await must(["rm", "-rf", `${disk}/image`]);
  }
  return { figures, peaks: await measurePeaks(layerfs, names, disk, rounds), sizes };
}

/** Costs of all rounds, and how many times as long as the first contestant each takes. */
function times(figures: Figures): string {
  const [first = []] = figures.values();
  const rows = [...figures].map(([name, costs]) => {
    const ratio = medianCost(costs).seconds / medianCost(first).seconds;
    return [name, ...costCells(costs), ratio.toFixed(2)];
  });
  return table(["", ...COST_HEADS, "times layerfs"], rows);
}

/** The peaks, one column an image, and what the larger image takes more. */
function memory({ peaks, sizes }: Found): string {
  const mib = (value: number) => `${value.toFixed(0)} MiB`;
  const rows = peaks.map(({ command, engine, mib: [small = NaN, large = NaN] }) => [
    `layerfs ${command} (${engine})`,
    ...[small, large, large - small].map(mib),
  ]);
  return table(["blobs of the image", ...sizes.map(mib), "difference"], rows);
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, { string: ["rounds"], boolean: ["write"] });
  const rounds = count("rounds", options.rounds, 5);
  const facts = await circumstances({
    skopeo: "skopeo --version",
    buildah: "buildah --version",
    "docker-registry": "docker-registry --version",
  });
  const found = await measureAll(rounds);
  report(`\n${times(found.figures)}\n\n${memory(found)}`);
  if (options.write) {
    await writeMarkdown("REGISTRY.md", [
      "# `layerfs pull` from a registry, and its peers",
      "Written by `deno task bench:registry --write`; bench/registry_bench.ts says what is timed " +
      `and how. Medians of ${rounds} rounds.`,
      times(found.figures),
      "## Memory, for a small image and a large one",
      `The highest peak of ${rounds} rounds, of pull and of a create whose blobs are not kept.`,
      memory(found),
      "## Circumstances",
      facts,
      "## Every round",
      RAW_CELLS,
      rawFigures(found.figures),
    ]);
  }
}
