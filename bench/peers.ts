/**
 * Times `layerfs create` side by side with others that do the same work, on the same image, in turn.
 *
 *     deno task bench:peers [--rounds N] [--write]     (root; N is 5 unless said otherwise)
 *
 * The image is the one of the platform tests (tests/platform/image.sh), copied to a tmpfs that is
 * mounted for this and gone afterwards; everything is unpacked there too, so that no disk is
 * measured. In each round every contestant runs once, in an order that moves on from round to
 * round; removing its result is not timed. Times are of whole processes, from start to exit.
 *
 * What each does, as it matters when the figures are read:
 *
 * - layerfs, in its two digest engines: digests and diffIDs checked, one complete tree.
 * - umoci unpack: digests and diffIDs checked, one complete tree (and a manifest of it: mtree).
 * - buildah pull, vfs storage: digests checked, one complete tree for every layer of the image.
 * - buildah pull, overlay storage: digests checked, one tree of its own files for every layer.
 * - gzip and tar: nothing checked, whiteouts not understood; the least that unpacking costs here.
 *
 * `--write` puts the machine, the versions and all figures into bench/RESULTS.md.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { image, layerfsCommand, must, Work } from "../tests/platform/harness.ts";

/** One way to unpack the image. */
interface Contestant {
  name: string;
  /** Command line that leaves its result in the directory `out`, which is new and empty. */
  argv(out: string): string[];
  /** Ends what the command leaves beside files. */
  cleanUp?(out: string): string[];
}

/** Seconds of every round, by contestant. */
type Figures = Map<string, number[]>;

/** Unpacks every layer of a layout's only image by gzip and tar. */
const GZIP_AND_TAR = `
  blobs=$1/blobs/sha256
  manifest=$(grep -o 'sha256:[0-9a-f]*' "$1/index.json" | head -n 1)
  # A manifest names its config first, then its layers in their order.
  grep -o 'sha256:[0-9a-f]*' "$blobs/\${manifest#sha256:}" | tail -n +2 | while read -r layer; do
    gzip -dc "$blobs/\${layer#sha256:}" |
      tar -x -C "$2" --numeric-owner -p --xattrs --xattrs-include='*'
  done`;

/** A buildah with storage of its own. */
function buildah(driver: string, source: string): Contestant {
  const base = (out: string) => {
    const places = ["--root", `${out}/root`, "--runroot", `${out}/run`];
    return ["buildah", ...places, "--storage-driver", driver];
  };
  return {
    name: `buildah pull (${driver})`,
    argv: (out) => [...base(out), "pull", "--quiet", source],
    cleanUp: (out) => [...base(out), "rmi", "--all", "--force"],
  };
}

/** Everyone who takes part. */
async function contestants(source: string): Promise<Contestant[]> {
  const layerfs = await layerfsCommand();
  const create = (engine: string): Contestant => ({
    name: `layerfs create (${engine})`,
    argv: (out) => [
      ...[...layerfs, "--store", `${out}/store`, "--driver", "directory", "--quiet"],
      ...["--digest-engine", engine, "create", source],
    ],
  });
  const layout = source.replace(/^oci:/, "").replace(/:[^:]*$/, "");
  return [
    create("wasm"),
    create("native"),
    {
      name: "umoci unpack",
      argv: (out) => ["umoci", "unpack", "--image", source.replace(/^oci:/, ""), `${out}/bundle`],
    },
    buildah("vfs", source),
    buildah("overlay", source),
    {
      name: "gzip -dc, tar -x",
      argv: (out) => ["bash", "-euo", "pipefail", "-c", GZIP_AND_TAR, "unpack", layout, out],
    },
  ];
}

/** Seconds that one contestant takes. */
async function time(contestant: Contestant, out: string): Promise<number> {
  await Deno.mkdir(out);
  const start = performance.now();
  await must(contestant.argv(out));
  const seconds = (performance.now() - start) / 1000;
  if (contestant.cleanUp) await must(contestant.cleanUp(out));
  await must(["rm", "-rf", "--one-file-system", out]);
  return seconds;
}

/** Runs all rounds on a tmpfs. */
async function race(rounds: number): Promise<Figures> {
  await using work = await Work.create();
  const original = await image("bench");
  const disk = await work.tmpfs("bench", "75%");
  // A layout with this image only: its others are no part of this.
  await must([
    "skopeo",
    "--insecure-policy",
    "copy",
    "--quiet",
    original,
    `oci:${disk}/image:bench`,
  ]);
  const field = await contestants(`oci:${disk}/image:bench`);
  const figures: Figures = new Map(field.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < field.length; turn++) {
      const contestant = field[(round + turn) % field.length];
      if (contestant === undefined) continue;
      const seconds = await time(contestant, `${disk}/out`);
      figures.get(contestant.name)?.push(seconds);
      report(`round ${round + 1}: ${contestant.name.padEnd(26)} ${seconds.toFixed(2)} s`);
    }
  }
  return figures;
}

/** The middle one of several figures, or the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return (low + high) / 2;
}

/** Medians, and how many times as long as the first contestant each takes, as a Markdown table. */
function table(figures: Figures): string {
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

/** Where and with what this was measured. */
async function circumstances(): Promise<string[]> {
  const shell = (command: string) => must(["bash", "-c", command]);
  const facts: [string, string][] = [
    ["Date", "date -u +%F"],
    ["Processor", "grep -m 1 'model name' /proc/cpuinfo | cut -d : -f 2; echo ', cores:'; nproc"],
    ["SHA instructions", "grep -qw sha_ni /proc/cpuinfo && echo yes || echo no"],
    ["Memory", "grep MemTotal /proc/meminfo | awk '{printf \"%.0f GiB\", $2 / 1048576}'"],
    ["Kernel", "uname -sr"],
    ["System", ". /etc/os-release; echo $PRETTY_NAME"],
    ["umoci", "umoci --version"],
    ["buildah", "buildah --version"],
    ["tar", "tar --version | head -n 1"],
    ["gzip", "gzip --version | head -n 1"],
    ["layerfs", "git rev-parse --short HEAD 2>/dev/null || echo unknown"],
  ];
  const lines = [`- Deno: ${Deno.version.deno}`];
  for (const [name, command] of facts) {
    lines.push(`- ${name}: ${(await shell(command)).trim().replace(/\s+/g, " ")}`);
  }
  return lines;
}

/** The text of RESULTS.md. */
async function results(figures: Figures): Promise<string> {
  const raw = [...figures].map(([name, values]) =>
    `| ${name} | ${values.map((seconds) => seconds.toFixed(2)).join(" | ")} |`
  );
  const rounds = [...figures.values()][0]?.map((_, index) => index + 1) ?? [];
  return [
    "# `layerfs create` and its peers",
    "",
    "Written by `deno task bench:peers --write`; bench/peers.ts says what is timed and how.",
    "",
    table(figures),
    "",
    "## Circumstances",
    "",
    ...await circumstances(),
    "",
    "## Seconds of every round",
    "",
    `| | ${rounds.join(" | ")} |`,
    `|---|${rounds.map(() => "--:|").join("")}`,
    ...raw,
    "",
  ].join("\n");
}

/** Tells the person who runs this. */
function report(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const options = parseArgs(Deno.args, { string: ["rounds"], boolean: ["write"] });
const rounds = Number(options.rounds ?? 5);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds takes a positive number: found "${options.rounds}"`);
}
const figures = await race(rounds);
report(`\n${table(figures)}`);
if (options.write) {
  await Deno.writeTextFile(new URL("RESULTS.md", import.meta.url), await results(figures));
}
