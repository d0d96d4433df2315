/**
 * `layerfs fsck`: whether a store is as its names and records say.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError } from "../errors.ts";
import { RECORD_FILE, ROOTFS } from "../store/claim.ts";
import type { ContainerRootfs } from "../store/driver.ts";
import { checkStore, type FsckOptions, type FsckResult } from "../store/fsck.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { allContainers, containerPath, rootfsOf, unrecorded } from "./containers.ts";
import { formatRecord } from "./record.ts";

export type { WaitingLayer } from "../store/driver.ts";
export type { FsckOptions, FsckResult, Problem, ProblemKind } from "../store/fsck.ts";

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
 * the container can be mounted, read and removed.
 *
 * Removing the container will remove its bundle with all that is in it. So that must be a directory
 * that layerfs has made: in its place in the store, or one with a `config.json`.
 */
function restore(store: Store, { id, rootfs, top }: ContainerRootfs): void {
  const bundle = path.dirname(rootfs);
  const name = containerPath(store.path, id);
  const isOurs = rootfs === `${name}/${ROOTFS}` ||
    (path.basename(rootfs) === ROOTFS && fs.existsSync(`${bundle}/config.json`));
  if (!isOurs) {
    throw new LayerfsError(
      "storage",
      `Cannot restore container "${id}": "${bundle}" is no bundle of layerfs; if nothing in the ` +
        "root filesystem is wanted, destroy it by hand",
    );
  }
  const created = new Date().toISOString();
  const driver = store.driver.name;
  const text = formatRecord({
    version: 1,
    id,
    created,
    driver,
    source: "rootfs",
    top,
    image: null,
  });
  try {
    if (bundle === name) fs.mkdirSync(bundle, { recursive: true, mode: 0o700 });
    else fs.symlinkSync(bundle, name);
    fs.writeFileSync(`${bundle}/${RECORD_FILE}`, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw storageError(error, `Cannot restore container "${id}"`);
  }
}
