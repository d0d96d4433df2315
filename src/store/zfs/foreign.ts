/**
 * What people have made of, or in, a dataset of the store: no removal takes a dataset of theirs.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Properties } from "./properties.ts";

/** What the functions here are to be given of a dataset, all below it, and the snapshots of those. */
export const FOREIGN_PROPERTIES = ["type", "userrefs"] as const;

/**
 * Refuses to destroy a dataset that others are below of: "destroy -r" would take them along. Its
 * snapshots are views of it, and go with it.
 *
 * @param all of `dataset` and all below it, with {@linkcode FOREIGN_PROPERTIES}
 * @throws {LayerfsError} `conflict`
 */
export function refuseChildren(dataset: string, all: Properties, action: string): void {
  const isOther = (type: string | undefined) => type === "filesystem" || type === "volume";
  const child = [...all].find(([name, own]) => name !== dataset && isOther(own.get("type")))?.[0];
  if (child === undefined) return;
  const state =
    `dataset "${child}" is below "${dataset}", and not made by layerfs; "zfs rename" it ` +
    `to another place, or "zfs destroy" it`;
  throw new LayerfsError("conflict", `${action}: ${state}`, { dataset, child });
}

/**
 * A snapshot of a dataset that is held (zfs-hold(8)); null where none is. To be asked before a
 * "destroy -r" that is to remove all or nothing: zfs-fuse destroys one snapshot after the other, until
 * it finds one that is held. Of clones it asks before. OpenZFS does all in one go.
 *
 * @param all of `dataset` and its snapshots, with {@linkcode FOREIGN_PROPERTIES}
 */
export function heldSnapshot(dataset: string, all: Properties): string | null {
  const holds = (name: string) => Number(all.get(name)?.get("userrefs"));
  return snapshotsOf(dataset, all).find((name) => holds(name) > 0) ?? null;
}

/**
 * Refuses to destroy a dataset with a snapshot that is held.
 *
 * @param all as for {@linkcode heldSnapshot}
 * @throws {LayerfsError} `busy`
 */
export function refuseHeld(dataset: string, all: Properties, action: string): void {
  const held = heldSnapshot(dataset, all);
  if (held === null) return;
  const state = `snapshot "${held}" is held; see "zfs holds ${held}", and "zfs release" it first`;
  throw new LayerfsError("busy", `${action}: ${state}`, { dataset, snapshot: held });
}

/** The snapshots of a dataset among all that was asked for. */
export function snapshotsOf(dataset: string, all: Properties): string[] {
  return [...all.keys()].filter((name) => name.startsWith(`${dataset}@`));
}
