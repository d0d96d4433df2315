/**
 * Times `layerfs pull` from a registry side by side with others that fetch the same image, in turn,
 * and takes the peak of its memory.
 *
 *     deno task bench:registry [--rounds N] [--write]     (root; N is 5 unless said otherwise)
 *
 * The image is "bench" of the platform tests (tests/platform/image.sh); Debian's docker-registry has
 * it, on loopback, without TLS; its files have just been written, and are in the page cache. Results
 * are on a tmpfs, so that no disk is measured. In each round every contestant runs once, in an order that moves on from round to round;
 * removing its result is not timed. Times are of whole processes, from start to exit.
 *
 * What each does, as it matters when the figures are read:
 *
 * - layerfs pull: digests of all blobs checked (in WebAssembly, or by node:crypto), each blob synced
 *   to disk, four at a time; the layers stay compressed.
 * - skopeo copy to a layout: digests checked, six blobs at a time; the layers stay compressed.
 * - buildah pull, overlay storage: digests checked, and the layers unpacked, which the others leave
 *   for later.
 *
 * Peak memory is that of one more pull, by the kernel's count (VmHWM) of its process.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { image, layerfsCommand, must, Work } from "../tests/platform/harness.ts";
import { RegistryServer } from "../tests/platform/registry_server.ts";
import { type Contestant, type Figures, race, roundTable, table } from "./race.ts";
import { circumstances, count, report } from "./report.ts";

/** What a run of the benchmark found. */
interface Found {
  figures: Figures;
  /** Mebibytes that `layerfs pull` had at most, by digest engine. */
  peaks: Map<string, number>;
  /** Mebibytes of the image's blobs. */
  size: number;
}

/** Prints the peak of a process's memory after its own output, in KiB. */
const WITH_PEAK = `"$@" >/dev/null & pid=$!
  peak=0
  while read -r _ now _ < <(grep VmHWM "/proc/$pid/status" 2>/dev/null); do
    peak=$now
    sleep 0.02
  done
  wait "$pid"
  echo "$peak"`;

/** Everyone who takes part. */
function contestants(layerfs: readonly string[], name: string): Contestant[] {
  const pull = (engine: string): Contestant => ({
    name: `layerfs pull (${engine})`,
    argv: (out) => pullCommand(layerfs, engine, name, `${out}/store`),
  });
  const buildah = (out: string) => {
    const places = ["--root", `${out}/root`, "--runroot", `${out}/run`];
    return ["buildah", ...places, "--storage-driver", "overlay"];
  };
  return [
    pull("wasm"),
    pull("native"),
    {
      name: "skopeo copy (oci)",
      argv: (out) => [
        ...["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"],
        ...[`docker://${name}`, `oci:${out}/layout:bench`],
      ],
    },
    {
      name: "buildah pull (overlay)",
      argv: (out) => [...buildah(out), "pull", "--quiet", "--tls-verify=false", `docker://${name}`],
      cleanUp: (out) => [...buildah(out), "rmi", "--all", "--force"],
    },
  ];
}

function pullCommand(
  layerfs: readonly string[],
  engine: string,
  name: string,
  store: string,
): string[] {
  return [
    ...[...layerfs, "--store", store, "--driver", "directory", "--quiet"],
    ...["--digest-engine", engine, "pull", "--tls-verify=false", name],
  ];
}

/** Runs all rounds on a tmpfs. */
async function raceOnTmpfs(rounds: number): Promise<Found> {
  await using work = await Work.create();
  const original = await image("bench");
  const disk = await work.tmpfs("bench", "75%");
  await using registry = await RegistryServer.start();
  const name = `${registry.host}/bench:1`;
  const layerfs = await layerfsCommand();
  const copy = [...layerfs, "--json", "copy", "--tls-verify=false", original, `docker://${name}`];
  const { copied } = JSON.parse(await must(copy));
  const figures = await race(contestants(layerfs, name), rounds, `${disk}/out`);
  const peaks = new Map<string, number>();
  for (const engine of ["wasm", "native"]) {
    const command = pullCommand(layerfs, engine, name, `${disk}/peak-${engine}`);
    const peak = await must(["bash", "-euo", "pipefail", "-c", WITH_PEAK, "peak", ...command]);
    peaks.set(engine, Number(peak) / 1024);
  }
  return { figures, peaks, size: copied.bytes / 1048576 };
}

/** The peaks as a Markdown list. */
function memory({ peaks, size }: Found): string {
  const lines = [...peaks].map(([engine, peak]) => `- ${engine}: ${peak.toFixed(0)} MiB`);
  return [`The image's blobs have ${size.toFixed(0)} MiB.`, lines.join("\n")].join("\n\n");
}

/** The text of REGISTRY.md. */
async function results(found: Found): Promise<string> {
  return [
    "# `layerfs pull` from a registry, and its peers",
    "Written by `deno task bench:registry --write`; bench/registry_bench.ts says what is timed and " +
    "how.",
    table(found.figures),
    "## Peak memory of `layerfs pull`",
    memory(found),
    "## Circumstances",
    await circumstances({
      skopeo: "skopeo --version",
      buildah: "buildah --version",
      "docker-registry": "docker-registry --version",
    }),
    "## Seconds of every round",
    roundTable(found.figures),
  ].join("\n\n") + "\n";
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, { string: ["rounds"], boolean: ["write"] });
  const found = await raceOnTmpfs(count("rounds", options.rounds, 5));
  report(`\n${table(found.figures)}\n\n${memory(found)}`);
  if (options.write) {
    await Deno.writeTextFile(new URL("REGISTRY.md", import.meta.url), await results(found));
  }
}
