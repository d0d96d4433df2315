/**
 * What is in a store's datasets without a place in its bookkeeping.
 *
 * @module
 */

import type { ContainerRootfs, Strays } from "../driver.ts";
import { containerId, type DatasetNames, DEFERRED, LAYER_SNAPSHOT } from "./dataset_names.ts";
import { readRecord, RECORD_PROPERTIES, toDigest } from "./layer_properties.ts";
import type { Properties } from "./properties.ts";
import { TOP } from "./rootfs_dataset.ts";

/** What {@linkcode findStrays} is to be given of all datasets. */
export const STRAY_PROPERTIES = [...RECORD_PROPERTIES, TOP, "mountpoint"] as const;

/** @param all the datasets below the store's three, with their snapshots */
export function findStrays(names: DatasetNames, all: Properties): Strays {
  const below = (parent: string) =>
    [...all.keys()].filter((name) => name.startsWith(`${parent}/`) && !name.includes("@"))
      .map((name) => name.slice(parent.length + 1))
      // What somebody has made below one of ours goes with it.
      .filter((name) => !name.includes("/"));
  const snapshot = (dataset: string) => all.get(`${dataset}@${LAYER_SNAPSHOT}`);
  const waits = (name: string) =>
    name.startsWith(DEFERRED) && snapshot(names.staged(name))?.get("defer_destroy") === "on";
  return {
    // A removed layer that something foreign still uses is no litter yet.
    staging: below(names.staging).filter((name) => !waits(name)),
    containers: below(names.containers).map((name) => containerOf(names, name, all)),
    brokenLayers: below(names.layers).flatMap((name) => {
      const reason = readRecord(name, snapshot(`${names.layers}/${name}`));
      return typeof reason === "string" ? [{ name, reason }] : [];
    }),
  };
}

function containerOf(names: DatasetNames, name: string, all: Properties): ContainerRootfs {
  const properties = all.get(`${names.containers}/${name}`);
  const id = containerId(name);
  const rootfs = properties?.get("mountpoint") ?? "none";
  return { id, rootfs, top: toDigest(properties?.get(TOP)) ?? null };
}
