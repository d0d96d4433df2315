/**
 * `layerfs fsck`: whether a store is as its names and records say.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../errors.ts";
import { exists } from "../files.ts";
import { RECORD_FILE, ROOTFS } from "../store/claim.ts";
import type { ContainerRootfs } from "../store/driver.ts";
import { checkStore, type FsckOptions } from "../store/fsck.ts";
import type { FsckResult } from "../store/fsck_report.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { allContainers, containerPath, rootfsOf, unrecorded } from "./containers.ts";
import { formatRecord, readRecord } from "./record.ts";

export type { FsckOptions } from "../store/fsck.ts";
export type { WaitingLayer } from "../store/driver.ts";
export type { FsckResult, Problem, ProblemKind } from "../store/fsck_report.ts";

/** How to check which store. */
export interface FsckStoreOptions extends StoreOptions, FsckOptions {}

/** Checks the store, and mends it if asked; waits until nobody else works in it. */
export async function fsck(options: FsckStoreOptions): Promise<FsckResult> {
  if (await Store.read(options) === null) {
    const checked = { layers: 0, contents: 0, containers: 0, images: 0, blobs: 0 };
    return { checked, problems: [], waiting: [] };
  }
  using store = await Store.open(options, "exclusive", options.signal);
  const damaged: { id: string; message: string }[] = [];
  const containers = allContainers(store.path, ({ message }, id) => {
    damaged.push({ id, message });
  });
  const known = new Set([...containers, ...damaged].map(({ id }) => id));
  return await checkStore(store, {
    containers: containers.map(rootfsOf),
    damaged,
    unrecorded: unrecorded(store, known),
    restoreRecord: (container) => restore(store, container),
  }, options);
}

/**
 * Writes a record for a root filesystem that has none. Its configuration is gone as well, or may be:
 * the container can be mounted, read and removed. Where its record is there and only its name is not,
 * it gets that.
 *
 * Removing the container will remove its bundle with all that is in it. So that must be a directory
 * that layerfs has made, in its place in the store, or one with a `config.json`; and no other
 * container's.
 */
async function restore(store: Store, container: ContainerRootfs): Promise<void> {
  const { id, rootfs, top } = container;
  const bundle = dirname(rootfs);
  const name = containerPath(store.path, id);
  const isBundle = basename(rootfs) === ROOTFS &&
    (bundle === name || exists(`${bundle}/config.json`));
  if (!isBundle) {
    throw new LayerfsError(
      "storage",
      `Cannot restore container "${id}": "${bundle}" is no bundle of layerfs; if nothing in the ` +
        "root filesystem is wanted, destroy it by hand",
    );
  }
  const recorded = bundle === name ? null : readRecord(bundle)?.id ?? null;
  const isInStore = dirname(bundle) === store.containers;
  await refuseOthers(store, container, isInStore ? basename(bundle) : recorded ?? id);
  const created = new Date().toISOString();
  const driver = store.driver.name;
  const source = "rootfs";
  const text = formatRecord({ version: 1, id, created, driver, source, top, image: null });
  try {
    if (bundle === name) Deno.mkdirSync(bundle, { recursive: true, mode: 0o700 });
    if (recorded === null) {
      Deno.writeTextFileSync(`${bundle}/${RECORD_FILE}`, text, { mode: 0o600, createNew: true });
    }
    // Last: a name that leads to no record would be in the way of a later try.
    if (bundle !== name) linkBundle(bundle, name, recorded === null);
  } catch (error) {
    throw storageError(error, `Cannot restore container "${id}"`);
  }
}

/** Refuses a root filesystem in the bundle of another container, whose own it must be. */
async function refuseOthers(
  store: Store,
  { id, rootfs, top }: ContainerRootfs,
  owner: string,
): Promise<void> {
  if (owner === id) return;
  const command = (await store.driver.findRenamed([{ id: owner, rootfs, top }])).get(owner);
  const advice = command === undefined ? "" : `; "${command}"`;
  throw new LayerfsError(
    "conflict",
    `Cannot restore container "${id}": its mount point is in the bundle of container ` +
      `"${owner}"${advice}`,
    { id, owner },
  );
}

/** Gives a bundle its name in the store; takes its new record away again where that fails. */
function linkBundle(bundle: string, name: string, isNew: boolean): void {
  try {
    Deno.symlinkSync(bundle, name);
  } catch (error) {
    if (isNew) Deno.removeSync(`${bundle}/${RECORD_FILE}`);
    throw error;
  }
}
