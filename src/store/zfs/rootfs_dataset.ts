/**
 * Root filesystems of containers: clones of layers, mounted in their bundles.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { lstatOrNull, namesIn } from "../../files.ts";
import { storageError } from "../../system_error.ts";
import type { ContainerRootfs, NewRootfs, Replacing } from "../driver.ts";
import { describeHolders, holdersOf } from "../holders.ts";
import { isMountPoint } from "../mount_point.ts";
import { mountsBelow } from "../mounts.ts";
import { removeTree } from "../remove_tree.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { FOREIGN_PROPERTIES, refuseChildren, refuseHeld } from "./foreign.ts";
import { NONE } from "./layer_properties.ts";
import {
  destroyDataset,
  mountAgain,
  mountDataset,
  refusalError,
  undone,
  unmountDataset,
} from "./mounting.ts";
import { propertiesBelow, propertiesOf } from "./properties.ts";
import { tryPatiently, tryZfs, zfs } from "./zfs.ts";
import { isMade, type ZfsFailure } from "./zfs_failure.ts";

/** User property of a container's dataset: ChainID of the layer that it was cloned from. */
export const TOP = "org.layerfs:top";

/** User property of a container's dataset: the claim that it was made under. */
const CLAIM = "org.layerfs:claim";

/**
 * Makes a container's dataset and mounts it: one call of `zfs` with zfs-fuse, which mounts a clone at
 * once, and two elsewhere.
 *
 * @returns why the dataset could not be made; null where all went well
 * @throws {LayerfsError} where it could be made, but not mounted: it is gone again then, unless the
 * cause says why not
 */
export async function createRootfs(
  names: DatasetNames,
  { id, rootfs, top, quota, claim }: NewRootfs,
): Promise<ZfsFailure | null> {
  const action = `Cannot create the root filesystem of container "${id}"`;
  refuseOccupied(rootfs, action);
  const dataset = names.container(id);
  const properties = ["canmount=noauto", `mountpoint=${rootfs}`, `${TOP}=${top ?? NONE}`];
  if (claim !== undefined) properties.push(`${CLAIM}=${claim}`);
  // Of a clone, "quota" counts what it does not share with its origin: the container's own bytes.
  if (quota !== undefined) properties.push(`quota=${quota}`);
  const options = properties.flatMap((property) => ["-o", property]);
  const { failure } = top === null
    ? await tryZfs(["create", ...options, dataset])
    : await tryZfs(["clone", ...options, names.snapshot(top), dataset]);
  if (!isMade(failure)) return failure;
  try {
    // On zfs-fuse a clone is mounted whatever "canmount" says; nowhere else, and no new dataset.
    if (!isMountPoint(rootfs)) await mountDataset(dataset, rootfs, action);
    return null;
  } catch (error) {
    throw await undone(error, async () => {
      const left = await destroyDataset(dataset);
      if (left !== null) throw await refusalError(names, left, dataset, rootfs, action);
      await removeTree(rootfs);
    });
  }
}

/** What is in the mount point's place would be hidden, or be written to. */
function refuseOccupied(rootfs: string, action: string): void {
  const stat = lstatOrNull(rootfs);
  if (stat === null) return;
  const empty = stat.isDirectory && !isMountPoint(rootfs) && namesIn(rootfs).length === 0;
  if (empty) return;
  throw new LayerfsError("conflict", `${action}: "${rootfs}" is there, and no empty directory`, {
    path: rootfs,
  });
}

/**
 * Removes a container's dataset, with snapshots that somebody has made of it, and its mount point.
 *
 * @param claim what was made under another, or none, stays as it is
 * @returns whether the dataset was there
 * @throws {LayerfsError} `busy` or `conflict`, with nothing removed, and mounted as it was if it can be
 */
export async function removeRootfs(
  names: DatasetNames,
  { id, rootfs }: ContainerRootfs,
  claim?: string,
): Promise<boolean> {
  const action = `Cannot remove the root filesystem of container "${id}"`;
  const dataset = names.container(id);
  const all = await propertiesBelow([dataset], [...FOREIGN_PROPERTIES, CLAIM], action);
  const properties = all.get(dataset);
  if (properties !== undefined && claim !== undefined && properties.get(CLAIM) !== claim) {
    return true;
  }
  refuseChildren(dataset, all, action);
  refuseHeld(dataset, all, action);
  const mounted = isMountPoint(rootfs);
  // First, as "destroy -r" would remove the snapshots before it finds the dataset busy.
  if (mounted) await unmountDataset(dataset, rootfs, action);
  const failure = await destroyDataset(dataset);
  if (failure !== null && failure.kind !== "no-dataset") {
    const refusal = await refusalError(names, failure, dataset, rootfs, action);
    throw mounted ? await mountAgain(dataset, rootfs, refusal) : refusal;
  }
  await removePlace(rootfs, action);
  return failure === null;
}

/**
 * Refuses to replace what would take more with it than the container's own, and what is in use where
 * we have no mount.
 *
 * @throws {LayerfsError} `conflict` or `busy`
 */
export async function checkReplaceable(
  names: DatasetNames,
  { id, rootfs }: ContainerRootfs,
): Promise<void> {
  const action = `Cannot replace the root filesystem of container "${id}"`;
  const dataset = names.container(id);
  const all = await propertiesBelow([dataset], FOREIGN_PROPERTIES, action);
  refuseChildren(dataset, all, action);
  const snapshot = [...all.keys()].find((name) => name !== dataset);
  if (snapshot !== undefined) {
    const state = `its snapshot "${snapshot}" would go with what it shows; "zfs destroy" it, or ` +
      "send it to another place first";
    throw new LayerfsError("conflict", `${action}: ${state}`, { dataset, snapshot });
  }
  const mount = (await mountsBelow(rootfs)).find((place) => place !== rootfs);
  if (mount !== undefined) {
    const state = `"${mount}" is mounted in it; unmount that first`;
    throw new LayerfsError("busy", `${action}: ${state}`, { path: mount });
  }
  const holders = isMountPoint(rootfs) ? [] : await holdersOf(rootfs, dataset);
  if (holders.length === 0) return;
  const users = describeHolders(holders);
  const state = `it is in use by ${users}; end that first`;
  throw new LayerfsError("busy", `${action}: ${state}`, { path: rootfs, holders: users });
}

/** Puts a replacement's dataset into the place of the container's, which goes below R/staging. */
export async function replaceRootfs(
  names: DatasetNames,
  { id, rootfs }: ContainerRootfs,
  replacement: Replacing,
): Promise<void> {
  const action = `Cannot replace the root filesystem of container "${id}"`;
  const [dataset, other] = [names.container(id), names.container(replacement.id)];
  const rename = async (from: string, to: string) => {
    const failure = await tryPatiently(["rename", from, to]);
    if (failure !== null) throw await refusalError(names, failure, from, rootfs, action);
  };
  const all = await propertiesOf([dataset, other], names.containers, ["mountpoint"], action);
  if (all.has(other)) {
    if (all.has(dataset)) await rename(dataset, names.staged(replacement.staging));
    await rename(other, dataset);
  } else if (all.get(dataset)?.get("mountpoint") === rootfs) return;
  await zfs(["set", `mountpoint=${rootfs}`, dataset], action);
}

/** Removes the mount point, with what was written there while nothing was mounted. */
async function removePlace(rootfs: string, action: string): Promise<void> {
  try {
    if (lstatOrNull(rootfs) === null) return;
    const [mount] = namesIn(rootfs).length === 0 ? [] : await mountsBelow(rootfs);
    if (mount !== undefined) {
      const state = `"${mount}" is mounted; unmount it`;
      throw new LayerfsError("busy", `${action}: ${state}`, { path: mount });
    }
  } catch (error) {
    throw storageError(error, action);
  }
  await removeTree(rootfs);
}
