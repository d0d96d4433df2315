/**
 * Removing a layer, in steps of which a kill leaves litter at most.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Removal } from "../driver.ts";
import { isMountPoint } from "../mount_point.ts";
import { type DatasetNames, DEFERRED } from "./dataset_names.ts";
import { FOREIGN_PROPERTIES, heldSnapshot, refuseChildren, snapshotsOf } from "./foreign.ts";
import {
  dependentError,
  destroyDataset,
  mountAgain,
  refusalError,
  removeMountPoint,
  unmountDataset,
  VIEW_OPTIONS,
} from "./mounting.ts";
import { type Properties, propertiesBelow } from "./properties.ts";
import { tryPatiently, zfs } from "./zfs.ts";
import { failureError, type ZfsFailure } from "./zfs_failure.ts";

/**
 * Removes a layer's dataset and its mount point.
 *
 * @param view where its tree is mounted, if it is
 * @returns null where there is no such dataset
 * @throws {LayerfsError} `busy` or `conflict`, with the layer as it was, mounted if it can be
 */
export async function removeLayer(
  names: DatasetNames,
  chainId: Digest,
  view: string,
): Promise<Removal | null> {
  const action = `Cannot remove layer ${chainId}`;
  const dataset = names.layer(chainId);
  const all = await propertiesBelow([dataset], FOREIGN_PROPERTIES, action);
  refuseChildren(dataset, all, action);
  const mounted = isMountPoint(view);
  if (mounted) await unmountDataset(dataset, view, action);
  const refuse = async (failure: ZfsFailure) => {
    const refusal = await refusalError(names, failure, dataset, view, action);
    return mounted ? await mountAgain(dataset, view, refusal, VIEW_OPTIONS) : refusal;
  };
  // It loses its name first: a kill leaves litter, and what foreign clones of it need follows it.
  const away = names.deferred();
  const unnamed = await rename(dataset, away);
  if (unnamed?.kind === "full") {
    const failure = await destroyInPlace(names, dataset, all, unnamed);
    if (failure !== null) throw await refuse(failure);
    removeMountPoint(view);
    return "removed";
  }
  if (unnamed !== null && unnamed.kind !== "no-dataset") throw await refuse(unnamed);
  const failure = unnamed === null ? await destroyDataset(away) : null;
  if (failure !== null && !isForeign(names, failure)) {
    const left = await rename(away, dataset);
    if (left === null) throw await refuse(failure);
    const { message } = failureError(left, `${action}, nor give it its name back`);
    const advice = `mend that with "zfs rename ${away} ${dataset}"`;
    throw new LayerfsError("busy", `${message}; ${advice}`, { dataset: away });
  }
  removeMountPoint(view);
  if (unnamed !== null) return null;
  if (failure === null) return "removed";
  const snapshots = snapshotsOf(dataset, all).map((name) => away + name.slice(dataset.length));
  await deferSnapshots(snapshots, action);
  return "deferred";
}

/**
 * Has ZFS remove snapshots of a removed layer, each once nothing uses it any more: of those that
 * others have made as well, as only the whole dataset can go. A later sweep does the rest.
 */
export async function deferSnapshots(snapshots: readonly string[], action: string): Promise<void> {
  // One by one: zfs-fuse takes no list. Some may have gone before ZFS found one that is used.
  for (const name of snapshots) await zfs(["destroy", "-d", name], action, "no-dataset");
}

/**
 * Refuses to remove a layer that others of the store are clones of. Of a broken one nobody else has
 * looked: and a rename unmounts all that depends on it, before a destroy would refuse.
 *
 * @throws {LayerfsError} `conflict`
 */
export async function refuseClones(
  names: DatasetNames,
  chainId: Digest,
): Promise<void> {
  const action = `Cannot remove layer ${chainId}`;
  const dataset = names.layer(chainId);
  const all = await propertiesBelow([names.layers, names.containers], ["origin"], action);
  const clones = [...all].filter(([, own]) => own.get("origin")?.startsWith(`${dataset}@`))
    .map(([name]) => name);
  if (clones.length > 0) throw dependentError(names, dataset, clones, action);
}

/**
 * Where a pool is full, zfs-fuse has no space for a rename; OpenZFS keeps some back. A kill leaves a
 * dataset without its snapshot, which is no layer any more.
 *
 * @param full what the rename gave
 * @returns why it is still there: the rename has to come first where something foreign uses it
 */
async function destroyInPlace(
  names: DatasetNames,
  dataset: string,
  all: Properties,
  full: ZfsFailure,
): Promise<ZfsFailure | null> {
  if (heldSnapshot(dataset, all) !== null) return full;
  const failure = await destroyDataset(dataset);
  return failure !== null && isForeign(names, failure) ? full : failure;
}

/** With patience in both directions: a dataset that could not be destroyed is busy for a moment. */
function rename(from: string, to: string): Promise<ZfsFailure | null> {
  return tryPatiently(["rename", from, to]);
}

/** Whether only what is not the store's own is in the way. */
function isForeign({ layers, containers, staging }: DatasetNames, failure: ZfsFailure): boolean {
  if (failure.kind === "held") return true;
  if (failure.kind !== "cloned") return false;
  return !failure.dependents.some((name) =>
    [layers, containers, staging].some((place) => name.startsWith(`${place}/`)) &&
    !name.startsWith(`${staging}/${DEFERRED}`)
  );
}
