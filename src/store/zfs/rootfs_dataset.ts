/**
 * Root filesystems of containers: clones of layers, mounted in their bundles.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../../errors.ts";
import { storageError } from "../../system_error.ts";
import type { ContainerRootfs, NewRootfs } from "../driver.ts";
import { isMountPoint } from "../mount_point.ts";
import { mountsBelow } from "../mounts.ts";
import { removeTree } from "../remove_tree.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { NONE } from "./layer_properties.ts";
import { destroyDataset, mountDataset, refusalError, unmountDataset } from "./mounting.ts";
import { tryZfs } from "./zfs.ts";
import { isMade, type ZfsFailure } from "./zfs_failure.ts";

/** User property of a container's dataset: ChainID of the layer that it was cloned from. */
export const TOP = "org.layerfs:top";

/**
 * Makes a container's dataset and mounts it: one call of `zfs` with zfs-fuse, which mounts a clone at
 * once, and two elsewhere.
 *
 * @returns why the dataset could not be made; null where all went well
 * @throws {LayerfsError} where it could be made, but not mounted: it is gone again then
 */
export async function createRootfs(
  names: DatasetNames,
  { id, rootfs, top, quota }: NewRootfs,
): Promise<ZfsFailure | null> {
  const action = `Cannot create the root filesystem of container "${id}"`;
  refuseOccupied(rootfs, action);
  const dataset = names.container(id);
  const properties = ["canmount=noauto", `mountpoint=${rootfs}`, `${TOP}=${top ?? NONE}`];
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
    const left = await destroyDataset(dataset);
    if (left !== null) throw await refusalError(left, dataset, rootfs, action);
    await removeTree(rootfs);
    throw error;
  }
}

/** What is in the mount point's place would be hidden, or be written to. */
function refuseOccupied(rootfs: string, action: string): void {
  const stat = fs.lstatSync(rootfs, { throwIfNoEntry: false });
  if (stat === undefined) return;
  const empty = stat.isDirectory() && !isMountPoint(rootfs) && fs.readdirSync(rootfs).length === 0;
  if (empty) return;
  throw new LayerfsError("conflict", `${action}: "${rootfs}" is there, and no empty directory`, {
    path: rootfs,
  });
}

/**
 * Removes a container's dataset, with snapshots that somebody has made of it, and its mount point.
 *
 * @returns whether the dataset was there
 * @throws {LayerfsError} `busy` or `conflict`, with nothing removed, and mounted as it was if it can be
 */
export async function removeRootfs(
  names: DatasetNames,
  { id, rootfs }: ContainerRootfs,
): Promise<boolean> {
  const action = `Cannot remove the root filesystem of container "${id}"`;
  const dataset = names.container(id);
  const mounted = isMountPoint(rootfs);
  // First, as "destroy -r" would remove the snapshots before it finds the dataset busy.
  if (mounted) await unmountDataset(dataset, rootfs, action);
  const failure = await destroyDataset(dataset);
  if (failure !== null && failure.kind !== "no-dataset") {
    const refusal = await refusalError(failure, dataset, rootfs, action);
    throw mounted ? await mountAgain(dataset, rootfs, refusal) : refusal;
  }
  await removePlace(rootfs, action);
  return failure === null;
}

/**
 * Puts back what a removal that was refused has unmounted.
 *
 * @returns the refusal. It says so where that failed: zfs-fuse mounts no dataset that is still
 * mounted in another mount namespace, OpenZFS does.
 */
async function mountAgain(
  dataset: string,
  rootfs: string,
  refusal: LayerfsError,
): Promise<LayerfsError> {
  try {
    await mountDataset(dataset, rootfs, `Cannot mount "${rootfs}" again`);
    return refusal;
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    const message =
      `${refusal.message}; nothing is removed, but it is unmounted now: ${error.message}`;
    return new LayerfsError(refusal.code, message, refusal.data, { cause: error });
  }
}

/** Removes the mount point, with what was written there while nothing was mounted. */
async function removePlace(rootfs: string, action: string): Promise<void> {
  try {
    if (fs.lstatSync(rootfs, { throwIfNoEntry: false }) === undefined) return;
    const [mount] = fs.readdirSync(rootfs).length === 0 ? [] : await mountsBelow(rootfs);
    if (mount !== undefined) {
      const state = `"${mount}" is mounted; unmount it`;
      throw new LayerfsError("busy", `${action}: ${state}`, { path: mount });
    }
  } catch (error) {
    throw storageError(error, action);
  }
  await removeTree(rootfs);
}
