/**
 * What is in a store's datasets without a place in its bookkeeping.
 *
 * @module
 */

import type { ContainerRootfs, Strays } from "../driver.ts";
import {
  containerId,
  type DatasetNames,
  DEFERRED,
  isStagedName,
  LAYER_SNAPSHOT,
} from "./dataset_names.ts";
import { FOREIGN_PROPERTIES, heldSnapshot, snapshotsOf } from "./foreign.ts";
import { CHAIN_ID, readRecord, RECORD_PROPERTIES, toDigest } from "./layer_properties.ts";
import type { Properties } from "./properties.ts";
import { STORE } from "./ownership.ts";
import { TOP } from "./rootfs_dataset.ts";
import { zfs } from "./zfs.ts";

/** What {@linkcode findStrays} is to be given of all datasets. */
export const STRAY_PROPERTIES = [
  ...RECORD_PROPERTIES,
  ...FOREIGN_PROPERTIES,
  TOP,
  STORE,
  "mountpoint",
] as const;

/**
 * What layerfs has not made is not among them: neither a name of work in progress that it would not
 * give, nor a container's that does not say which layer it is on.
 *
 * @param all the datasets below those of containers and of work in progress, with their snapshots
 */
export function findStrays(
  names: DatasetNames,
  all: Properties,
): Omit<Strays, "brokenLayers"> {
  const staged = below(names.staging, all).filter(isStagedName);
  const waiting = staged.filter((name) => name.startsWith(DEFERRED))
    .flatMap((name) => {
      const detail = waitingFor(names.staged(name), all);
      return detail === null ? [] : { name, detail };
    });
  const waits = new Set(waiting.map(({ name }) => name));
  return {
    staging: staged.filter((name) => !waits.has(name)),
    waiting,
    containers: findRootfs(names, all),
  };
}

/**
 * Root filesystems of containers.
 *
 * @param all the datasets below that of containers, with their mount points and {@linkcode TOP}
 */
export function findRootfs(names: DatasetNames, all: Properties): ContainerRootfs[] {
  return below(names.containers, all)
    .filter((name) => (all.get(`${names.containers}/${name}`)?.get(TOP) ?? "-") !== "-")
    .map((name) => containerOf(names, name, all));
}

/**
 * What a removed layer waits for: it is no litter before that.
 *
 * @returns for people to read; null where a sweep can remove it
 */
function waitingFor(dataset: string, all: Properties): string | null {
  const held = heldSnapshot(dataset, all);
  const isUsed = (name: string) => all.get(name)?.get("defer_destroy") === "on";
  if (held === null && !snapshotsOf(dataset, all).some(isUsed)) return null;
  const chainId = toDigest(all.get(`${dataset}@${LAYER_SNAPSHOT}`)?.get(CHAIN_ID));
  const what = chainId === undefined ? "a removed layer" : `removed layer ${chainId}`;
  return held === null
    ? `${what} waits for what was cloned from "${dataset}"`
    : `${what} waits for a hold on a snapshot: see "zfs holds ${held}", and "zfs release"`;
}

/**
 * @param all the datasets below that of layers, with their snapshots
 * @param index what the store's files say of them
 */
export function findBrokenLayers(
  names: DatasetNames,
  all: Properties,
  index: ReadonlyMap<string, unknown>,
): Strays["brokenLayers"] {
  const found = below(names.layers, all);
  const datasets = new Set(found);
  const lost = [...index.keys()].filter((name) => !datasets.has(name));
  return [
    ...found.flatMap((name) => {
      const record = readRecord(name, all.get(`${names.layers}/${name}@${LAYER_SNAPSHOT}`));
      if (typeof record === "string") return [{ name, reason: record }];
      return index.has(name) ? [] : [{ name, reason: "the store has no file about it" }];
    }),
    ...lost.map((name) => {
      return { name, reason: "the store has a file about it, and ZFS no dataset", isLitter: true };
    }),
  ];
}

/**
 * The commands that rename datasets back, by the ids of containers whose datasets are not there:
 * wherever in the pool a dataset was renamed to, its mount point says whose it is.
 */
export async function findRenamed(
  names: DatasetNames,
  containers: readonly ContainerRootfs[],
): Promise<ReadonlyMap<string, string>> {
  const args = ["list", "-H", "-o", "name,mountpoint", "-t", "filesystem", "-r", names.pool];
  const { stdout } = await zfs(args, `Cannot look for renamed datasets in "${names.pool}"`);
  const byPlace = new Map(
    stdout.split("\n").map((line) => line.split("\t")).map(([name, place]) => [place, name]),
  );
  const commands = new Map<string, string>();
  for (const { id, rootfs } of containers) {
    const dataset = byPlace.get(rootfs);
    if (dataset !== undefined) commands.set(id, `zfs rename ${dataset} ${names.container(id)}`);
  }
  return commands;
}

/** The datasets directly below `parent`; what somebody has made below one of them goes with it. */
function below(parent: string, all: Properties): string[] {
  return [...all.keys()].filter((name) => name.startsWith(`${parent}/`) && !name.includes("@"))
    .map((name) => name.slice(parent.length + 1))
    .filter((name) => !name.includes("/"));
}

function containerOf(names: DatasetNames, name: string, all: Properties): ContainerRootfs {
  const properties = all.get(`${names.containers}/${name}`);
  const id = containerId(name);
  const rootfs = properties?.get("mountpoint") ?? "none";
  return { id, rootfs, top: toDigest(properties?.get(TOP)) ?? null };
}
