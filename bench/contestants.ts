/**
 * Who takes part in bench/peers.ts, and how each is started.
 *
 * @module
 */

import { layerfsCommand } from "../tests/platform/harness.ts";
import { bash, destroyDataset, unmountAll } from "./places.ts";
import type { Contestant } from "./race.ts";

/** The image, in the forms that contestants take. */
export interface Material {
  /** Directory of an OCI layout whose only image is "bench". */
  readonly layout: string;
  /** Its layers as they are there, the base first; they are gzip files. */
  readonly blobs: readonly string[];
  /** The same, decompressed. */
  readonly tars: readonly string[];
}

/** Lines of the tables that others are compared with. */
export const WASM = "layerfs create (wasm)";
export const NATIVE = "layerfs create (native)";
/** The parts of the limit. */
export const LIMIT_PARTS = [
  "part: inflate by node:zlib",
  "part: SHA-256 by node:crypto",
  "part: tar -x of inflated layers",
] as const;

const GZIP_AND_TAR = `out=$1; shift
  for layer; do
    gzip -dc "$layer" | tar -x -C "$out" --numeric-owner -p --xattrs --xattrs-include='*'
  done`;

const TAR = `out=$1; shift
  for layer; do tar -xf "$layer" -C "$out" --numeric-owner -p --xattrs --xattrs-include='*'; done`;

/** layerfs, in both digest engines. @param pool where the driver is zfs */
export async function layerfs(
  { layout }: Material,
  driver: "directory" | "overlay" | "zfs",
  pool?: string,
): Promise<Contestant[]> {
  const command = await layerfsCommand();
  const suffix = driver === "overlay" ? ", overlay driver" : "";
  return ([["wasm", WASM], ["native", NATIVE]] as const).map(([engine, name]) => {
    const dataset = `${pool}/layerfs-${engine}`;
    const options = driver === "zfs" ? ["--driver", driver, "--dataset", dataset] : [
      "--driver",
      driver,
    ];
    return {
      steps: (out) => [{
        name: name.replace(/\)$/, `${suffix})`),
        argv: [
          ...[...command, "--store", `${out}/store`, ...options, "--quiet"],
          ...["--digest-engine", engine, "create", `oci:${layout}:bench`],
        ],
      }],
      cleanUp: (out) => driver === "zfs" ? destroyDataset(out, dataset) : unmountAll(out),
    };
  });
}

export function umoci({ layout }: Material): Contestant {
  const argv = (out: string) => ["umoci", "unpack", "--image", `${layout}:bench`, `${out}/bundle`];
  return { steps: (out) => [{ name: "umoci unpack", argv: argv(out) }] };
}

/** A buildah with storage of its own. */
export function buildah({ layout }: Material, driver: "vfs" | "overlay"): Contestant {
  const base = (out: string) => {
    const places = ["--root", `${out}/root`, "--runroot", `${out}/run`];
    return ["buildah", ...places, "--storage-driver", driver];
  };
  const pull = `out=$1; source=$2; shift 2; "$@" pull --quiet "$source" >"$out/image-id"`;
  const from = `out=$1; shift; "$@" from --quiet --pull-never "$(cat "$out/image-id")"`;
  const remove = `"$@" rm --all >/dev/null; exec "$@" rmi --all --force`;
  return {
    steps: (out) => [
      {
        name: `buildah pull (${driver})`,
        argv: bash(pull, out, `oci:${layout}:bench`, ...base(out)),
      },
      { name: `buildah pull + from (${driver})`, argv: bash(from, out, ...base(out)) },
    ],
    cleanUp: (out) => bash(remove, ...base(out)),
  };
}

export function gzipAndTar({ blobs }: Material): Contestant {
  return {
    steps: (out) => [{ name: "gzip -dc, tar -x", argv: bash(GZIP_AND_TAR, out, ...blobs) }],
  };
}

/** The parts of the limit, each alone. */
export function limitParts({ blobs, tars }: Material): Contestant[] {
  const part = (what: string, files: readonly string[]) => {
    const program = new URL("./limit.ts", import.meta.url).pathname;
    const flags = ["--quiet", "--allow-read", "--allow-env"];
    return [Deno.execPath(), "run", ...flags, program, what, ...files];
  };
  const argvs = [
    () => part("inflate", blobs),
    () => part("hash", [...blobs, ...tars]),
    (out: string) => bash(TAR, out, ...tars),
  ];
  return LIMIT_PARTS.map((name, i) => ({ steps: (out) => [{ name, argv: argvs[i]!(out) }] }));
}
