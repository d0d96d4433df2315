/**
 * Times `layerfs create` side by side with others that do the same work, on the same image, in turn.
 *
 *     deno task bench:peers [--rounds N] [--place tmpfs|ext4|zfs]... [--write]     (root; N is 5)
 *
 * The image is the one of the platform tests (tests/platform/image.sh), copied to a tmpfs that is
 * mounted for this and gone afterwards. It is unpacked there too, so that no disk is measured; then
 * on an ext4 in a file, and on a pool by zfs-fuse. In each round every contestant runs once, in an
 * order that moves on from round to round; `sync` before it and the removal of its result are not
 * timed. Times are of whole processes, from start to exit.
 *
 * What each does, as it matters when the figures are read:
 *
 * - layerfs, in its two digest engines: digests and diffIDs checked, one complete tree; with the
 *   overlay driver one tree of its own files for every layer, with the zfs driver one snapshot, and
 *   layers synced to the disk.
 * - umoci unpack: digests and diffIDs checked, one complete tree (and a manifest of it: mtree).
 * - buildah pull, vfs storage: digests checked, one complete tree for every layer of the image;
 *   `from`, a container, copies one more.
 * - buildah pull, overlay storage: digests checked, one tree of its own files for every layer.
 * - gzip and tar: nothing checked, whiteouts not understood.
 * - the limit: what inflating (node:zlib), SHA-256 of all blobs and tars (node:crypto) and writing
 *   (tar, from inflated layers) take, each alone and one after the other, divided by the cores.
 *
 * `--write` puts the machine, the versions and all figures into bench/RESULTS.md, and the ratios
 * into docs/performance.md.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { image, must, Work } from "../tests/platform/harness.ts";
import { buildah, gzipAndTar, layerfs, limitParts, type Material, umoci } from "./contestants.ts";
import { comparison, shortComparison } from "./peers_report.ts";
import { makePlace, type PlaceName, PLACES, POOL } from "./places.ts";
import { type Contestant, type Figures, race, RAW_CELLS, rawFigures } from "./race.ts";
import {
  circumstances,
  count,
  fillPerformance,
  PEER_FACTS,
  report,
  writeMarkdown,
} from "./report.ts";

/** The image, on a tmpfs of its own. */
async function material(work: Work): Promise<Material> {
  const original = await image("bench");
  const disk = await work.tmpfs("image", "25%");
  const layout = `${disk}/image`;
  // A layout with this image only: its others are no part of this.
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", original, `oci:${layout}:bench`];
  await must(copy);
  const document = async (digest: string) =>
    JSON.parse(await Deno.readTextFile(`${layout}/blobs/${digest.replace(":", "/")}`));
  const index = JSON.parse(await Deno.readTextFile(`${layout}/index.json`));
  const { layers }: { layers: { digest: string }[] } = await document(index.manifests[0].digest);
  const blobs = layers.map(({ digest }) => `${layout}/blobs/${digest.replace(":", "/")}`);
  const tars = blobs.map((_, i) => `${disk}/${i}.tar`);
  for (const [i, blob] of blobs.entries()) {
    await must(["sh", "-c", 'gzip -dc "$1" >"$2"', "inflate", blob, tars[i]!]);
  }
  return { layout, blobs, tars };
}

/** Everyone who can take part on a filesystem. */
async function contestants(place: PlaceName, material: Material): Promise<Contestant[]> {
  const everywhere = [umoci(material), buildah(material, "vfs")];
  const last = [gzipAndTar(material), ...limitParts(material)];
  if (place === "zfs") return [...await layerfs(material, "zfs", POOL), ...everywhere, ...last];
  return [
    ...await layerfs(material, "directory"),
    ...await layerfs(material, "overlay"),
    ...everywhere,
    buildah(material, "overlay"),
    ...last,
  ];
}

/** Runs all rounds on one filesystem. */
async function raceOn(place: PlaceName, material: Material, rounds: number): Promise<Figures> {
  await using work = await Work.create();
  const path = await makePlace(work, place);
  return await race(await contestants(place, material), rounds, `${path}/out`, place);
}

const options = parseArgs(Deno.args, {
  string: ["rounds", "place"],
  collect: ["place"],
  boolean: ["write"],
});
const rounds = count("rounds", options.rounds, 5);
const named = options.place as string[];
const wanted: readonly string[] = named.length === 0 ? PLACES : named;
for (const place of wanted) {
  if (!(PLACES as readonly string[]).includes(place)) {
    throw new RangeError(`--place takes ${PLACES.join(", ")}: found "${place}"`);
  }
}
const places = PLACES.filter((place) => wanted.includes(place) && (place !== "zfs" || POOL));
const leftOut = PLACES.filter((place) => !places.includes(place));
const facts = await circumstances(PEER_FACTS);
await using work = await Work.create();
const source = await material(work);
const results: [PlaceName, Figures][] = [];
for (const place of places) {
  const figures = await raceOn(place, source, rounds);
  results.push([place, figures]);
  report(`\n${place}:\n\n${comparison(figures)}\n`);
}
const missing = leftOut.length === 0 ? [] : [`Not measured in this run: ${leftOut.join(", ")}.`];
for (const line of missing) report(line);
if (options.write) {
  await writeMarkdown("RESULTS.md", [
    "# `layerfs create` and its peers",
    "Written by `deno task bench:peers --write`; bench/peers.ts says what is timed and how. " +
    `Medians of ${rounds} rounds. The last two columns say it both ways round: how many times as ` +
    "long as layerfs something takes, and how much of its time layerfs takes.",
    ...missing,
    ...results.flatMap(([place, figures]) => [`## On ${place}`, comparison(figures)]),
    "## Circumstances",
    facts,
    "## Every round",
    RAW_CELLS,
    ...results.flatMap(([place, figures]) => [`### On ${place}`, rawFigures(figures)]),
  ]);
  await fillPerformance("peers", shortComparison(results));
}
