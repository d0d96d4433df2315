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
import {
  circumstances,
  type Contestant,
  type Figures,
  parseRounds,
  race,
  report,
  roundTable,
  table,
} from "./race.ts";

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

/** Runs all rounds on a tmpfs. */
async function raceOnTmpfs(rounds: number): Promise<Figures> {
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
  return await race(await contestants(`oci:${disk}/image:bench`), rounds, `${disk}/out`);
}

/** The text of RESULTS.md. */
async function results(figures: Figures): Promise<string> {
  return [
    "# `layerfs create` and its peers",
    "Written by `deno task bench:peers --write`; bench/peers.ts says what is timed and how.",
    table(figures),
    "## Circumstances",
    await circumstances({
      umoci: "umoci --version",
      buildah: "buildah --version",
      tar: "tar --version | head -n 1",
      gzip: "gzip --version | head -n 1",
    }),
    "## Seconds of every round",
    roundTable(figures),
  ].join("\n\n") + "\n";
}

const options = parseArgs(Deno.args, { string: ["rounds"], boolean: ["write"] });
const rounds = parseRounds(options.rounds as string | undefined);
const figures = await raceOnTmpfs(rounds);
report(`\n${table(figures)}`);
if (options.write) {
  await Deno.writeTextFile(new URL("RESULTS.md", import.meta.url), await results(figures));
}
