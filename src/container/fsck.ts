/**
 * `layerfs fsck`: whether a store is as its names and records say.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { isClaimed, RECORD_FILE } from "../store/claim.ts";
import type { ContainerRootfs } from "../store/driver.ts";
import { checkStore, type FsckOptions, type FsckResult } from "../store/fsck.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers, containerPath, rootfsOf } from "./containers.ts";
import { formatRecord } from "./record.ts";

export type { FsckResult } from "../store/fsck.ts";

/** How to check which store. */
export interface FsckStoreOptions extends StoreOptions, FsckOptions {}

/** Checks the store, and mends it if asked; waits until nobody else works in it. */
export async function fsck(options: FsckStoreOptions): Promise<FsckResult> {
  if (await Store.read(options) === null) {
    const checked = { layers: 0, contents: 0, containers: 0, images: 0, blobs: 0 };
    return { checked, problems: [] };
  }
  using store = await Store.open(options, "exclusive", options.signal);
  const damaged: { id: string; message: string }[] = [];
  const containers = allContainers(store.path, ({ message }, id) => {
    damaged.push({ id, message });
  });
  const known = new Set([...containers, ...damaged].map(({ id }) => id));
  damaged.push(...bundlesWithoutRecord(store.path, known));
  const restoreRecord = (container: ContainerRootfs) => restore(store, container);
  const found = { containers: containers.map(rootfsOf), damaged, restoreRecord };
  return await checkStore(store, found, options);
}

/**
 * Names among the containers that lead to no record, but for those that a sweep will remove, and
 * empty directories, which a kill leaves and the next container of the name takes over.
 */
function bundlesWithoutRecord(store: string, known: ReadonlySet<string>) {
  const isEmpty = (path: string) => fs.existsSync(path) && fs.readdirSync(path).length === 0;
  return fs.readdirSync(`${store}/containers`)
    .filter((id) => !known.has(id))
    .filter((id) => !isClaimed(containerPath(store, id)) && !isEmpty(containerPath(store, id)))
    .map((id) => ({
      id,
      message: `"${containerPath(store, id)}" leads to no bundle with a "${RECORD_FILE}"; ` +
        "remove it by hand if nothing in it is wanted",
    }));
}

/** Its configuration is gone with its record: it can be mounted, read and removed, not started. */
function restore(store: Store, { id, rootfs, top }: ContainerRootfs): void {
  const bundle = path.dirname(rootfs);
  const name = containerPath(store.path, id);
  fs.mkdirSync(bundle, { recursive: true, mode: 0o700 });
  if (bundle !== name && !fs.existsSync(name)) fs.symlinkSync(bundle, name);
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
  fs.writeFileSync(`${bundle}/${RECORD_FILE}`, text, { mode: 0o600, flag: "wx" });
}
