/**
 * Mounting, unmounting and destroying datasets, with patience and with a look at the result.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { removeDirectory } from "../../files.ts";
import { errnoName, storageError } from "../../system_error.ts";
import { describeHolders, holdersOf } from "../holders.ts";
import { isMountPoint } from "../mount_point.ts";
import { mountsBelow } from "../mounts.ts";
import { containerId, type DatasetNames } from "./dataset_names.ts";
import { propertiesOf } from "./properties.ts";
import { tryPatiently } from "./zfs.ts";
import { failureError, type ZfsFailure } from "./zfs_failure.ts";

/** Name of the process that has the mounts of zfs-fuse: nobody is to end it. */
const DAEMON = "zfs-fuse";

/** Of a layer's tree. The property says so already, but for zfs-fuse: see create_roots.ts. */
export const VIEW_OPTIONS: readonly string[] = ["-o", "ro"];

/**
 * Mounts `dataset`, whose property `mountpoint` is `place`, and makes sure that it is there: what is
 * written to a directory that only should be a mount lands in the filesystem around it. zfs-fuse has
 * 1,000 mounts at most, and reports success of more; and it mounts where its daemon is, which need
 * not be our mount namespace.
 *
 * @param action begins the message of an error
 * @param options of `zfs mount`
 */
export async function mountDataset(
  dataset: string,
  place: string,
  action: string,
  options: readonly string[] = [],
): Promise<void> {
  // What was unmounted a moment ago, zfs-fuse finds busy.
  const failure = await tryPatiently(["mount", ...options, dataset], ["busy"]);
  if (failure?.kind === "busy") throw await busyError(dataset, place, failure, action);
  if (failure !== null && failure.kind !== "mounted") throw failureError(failure, action);
  if (isMountPoint(place)) return;
  const properties = await propertiesOf([dataset], dataset, ["mountpoint"], action);
  const mountpoint = properties.get(dataset)?.get("mountpoint") ?? "none";
  const state = mountpoint === place
    ? `zfs has mounted "${dataset}", but not where we can see it: ${DAEMON} mounts 1,000 datasets at ` +
      "most, and in the mount namespace of its daemon; unmount some, or run in that namespace"
    : `dataset "${dataset}" has mount point "${mountpoint}", not "${place}"; if the store has ` +
      `moved, "zfs set mountpoint=${place} ${dataset}"`;
  const error = new LayerfsError("storage", `${action}: ${state}`, { dataset, path: place });
  if (failure !== null) throw error;
  // Not to be left at a place that nobody knows of.
  throw await undone(error, () => unmountDataset(dataset, mountpoint, action));
}

/**
 * Undoes what `error` has come upon.
 *
 * @returns that error, as it is what people can do something about: with that of `undo` as its cause,
 * where that fails too
 */
export async function undone(error: unknown, undo: () => Promise<void>): Promise<unknown> {
  try {
    await undo();
    return error;
  } catch (cause) {
    if (!(error instanceof LayerfsError)) return new SuppressedError(cause, error);
    return new LayerfsError(error.code, error.message, error.data, { cause });
  }
}

/**
 * Ends a mount. That there is none is no error.
 *
 * @param target the dataset, or the path that it is mounted at
 * @param place where that is
 * @throws {LayerfsError} `busy`, naming the processes that use it; it is still mounted then
 */
export async function unmountDataset(target: string, place: string, action: string): Promise<void> {
  const failure = await tryPatiently(["unmount", target], ["in-use"]);
  if (failure === null || failure.kind === "no-dataset") return;
  if (failure.kind === "in-use") throw await busyError(target, place, failure, action);
  if (failure.kind !== "not-mounted") throw failureError(failure, action);
  if (!isMountPoint(place)) return;
  const state = `something that is not dataset "${target}" is mounted at "${place}"; unmount that`;
  throw new LayerfsError("conflict", `${action}: ${state}`, { path: place });
}

/**
 * Destroys a dataset with all below it: its own snapshots, never a clone. It is unmounted first
 * where that is needed.
 *
 * @returns why it could not be, or null
 */
export function destroyDataset(dataset: string): Promise<ZfsFailure | null> {
  return tryPatiently(["destroy", "-r", dataset]);
}

/**
 * A failure to destroy or to move a dataset as an error that says who is in the way.
 *
 * @param names of the store's datasets: of these, nobody is told to destroy one by hand
 * @param place where the dataset is, or was, mounted
 */
export async function refusalError(
  names: DatasetNames,
  failure: ZfsFailure,
  dataset: string,
  place: string,
  action: string,
): Promise<LayerfsError> {
  const { kind, dependents } = failure;
  if (kind === "busy" || kind === "in-use") return await busyError(dataset, place, failure, action);
  if (kind !== "cloned") return failureError(failure, action);
  return dependentError(names, dataset, dependents, action);
}

/** An error that names what depends on a snapshot of a dataset, and says what to do about it. */
export function dependentError(
  names: DatasetNames,
  dataset: string,
  dependents: readonly string[],
  action: string,
): LayerfsError {
  const [first = "?", ...more] = dependents;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  const state = `dataset "${first}"${others} depends on a snapshot of "${dataset}"; ` +
    adviceAbout(first, names);
  return new LayerfsError("conflict", `${action}: ${state}`, { dataset, dependent: first });
}

/** What to do about a dataset that is in the way. */
function adviceAbout(dependent: string, { layers, containers, staging }: DatasetNames): string {
  const isBelow = (place: string) => dependent.startsWith(`${place}/`);
  if (isBelow(layers)) return 'that is a layer of this store; run "layerfs fsck --repair"';
  if (isBelow(containers)) {
    // Or a snapshot of it.
    const [name = ""] = dependent.slice(containers.length + 1).split("@");
    return `that is a container of this store; "layerfs rm ${containerId(name)}"`;
  }
  return isBelow(staging)
    ? 'that is a rest of this store; "layerfs fsck" says of what'
    : 'destroy it, or "zfs promote" it';
}

/**
 * Puts back what a removal that was refused has unmounted.
 *
 * @param options of `zfs mount`
 * @returns the refusal. It says so where that failed: zfs-fuse mounts no dataset that is still
 * mounted in another mount namespace, OpenZFS does.
 */
export async function mountAgain(
  dataset: string,
  place: string,
  refusal: LayerfsError,
  options: readonly string[] = [],
): Promise<LayerfsError> {
  try {
    await mountDataset(dataset, place, `Cannot mount "${place}" again`, options);
    return refusal;
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    const message =
      `${refusal.message}; nothing is removed, but it is unmounted now: ${error.message}`;
    return new LayerfsError(refusal.code, message, refusal.data, { cause: error });
  }
}

/** An error that names what is mounted inside, and which processes are there. */
async function busyError(
  dataset: string,
  place: string,
  failure: ZfsFailure,
  action: string,
): Promise<LayerfsError> {
  const inner = (await mountsBelow(place)).filter((target) => target !== place);
  const processes = await holdersOf(place, dataset);
  if (!isMountPoint(place) && processes.some(({ name }) => name === DAEMON)) {
    const state = `"${dataset}" is mounted where ${DAEMON} runs, but not where we can see it: it ` +
      "mounts in the mount namespace of its daemon; run in that namespace";
    return new LayerfsError("busy", `${action}: ${state}`, { dataset, path: place });
  }
  const holders = describeHolders(processes);
  const found = [
    ...(holders === null ? [] : [`it is in use by ${holders}; end that first`]),
    ...inner.slice(0, 1).map((path) => `"${path}" is mounted in it; unmount that first`),
  ];
  const state = found.length > 0 ? found.join("; ") : `${failure.said}; no process that uses it ` +
    "can be seen";
  return new LayerfsError("busy", `${action}: ${state}`, { path: place, holders });
}

/** Removes a mount point that nothing is mounted at; one that is not empty, or not there, stays. */
export function removeMountPoint(place: string): void {
  try {
    removeDirectory(place);
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT" || name === "ENOTEMPTY" || name === "EBUSY") return;
    throw storageError(error, `Cannot remove the mount point "${place}"`);
  }
}
