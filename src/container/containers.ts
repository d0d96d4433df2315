/**
 * The containers of a store, found by name.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import { exists, namesIn } from "../files.ts";
import { isClaimed, ROOTFS } from "../store/claim.ts";
import type { ContainerRootfs } from "../store/driver.ts";
import type { Store } from "../store/store.ts";
import { errnoName, storageError } from "../system_error.ts";
import { type ContainerRecord, readRecord } from "./record.ts";

/** A container that exists. */
export interface Container {
  readonly id: string;
  /** Absolute path of its bundle. */
  readonly bundle: string;
  readonly record: ContainerRecord;
}

/** The path that stands for the container `id` in the store. */
export function containerPath(store: string, id: string): string {
  return `${resolve(store)}/containers/${id}`;
}

/** The container `id` of `store`, or null. */
export function findContainer(store: string, id: string): Container | null {
  if (id === "" || id.includes("/") || id.startsWith(".")) return null;
  const name = containerPath(store, id);
  const record = readRecord(name);
  if (record === null) return null;
  try {
    return { id, bundle: Deno.realPathSync(name), record };
  } catch (error) {
    if (errnoName(error) === "ENOENT") return null; // removed meanwhile
    throw storageError(error, `Cannot find container "${id}"`);
  }
}

/**
 * The container `id` of `store`.
 *
 * @throws {LayerfsError} `not-found`
 */
export function getContainer(store: string, id: string): Container {
  const container = findContainer(store, id);
  if (container !== null) return container;
  throw new LayerfsError(
    "not-found",
    `Cannot find container "${id}": the store "${store}" has none of that name; see layerfs ps`,
    { id },
  );
}

/**
 * The container `id` of `store`, all of which is in its place.
 *
 * @throws {LayerfsError} `not-found`; `conflict` where it is being moved to another image
 */
export function getSettled(store: string, id: string): Container {
  const container = getContainer(store, id);
  if (container.record.pending === undefined) return container;
  throw new LayerfsError(
    "conflict",
    `Cannot use container "${id}": its rebase is not done yet; try again, or see layerfs fsck`,
    { id },
  );
}

/**
 * All containers of `store`, by name; none where there is no store yet.
 *
 * @param onDamaged takes what is wrong with one whose record cannot be read, which is left out
 */
export function allContainers(
  store: string,
  onDamaged: (error: LayerfsError, id: string) => void,
): Container[] {
  let names: string[];
  try {
    names = namesIn(`${resolve(store)}/containers`);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
    throw storageError(error, `Cannot list the containers of "${store}"`);
  }
  return names.sort().flatMap((id) => {
    try {
      return findContainer(store, id) ?? [];
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
      onDamaged(error, id);
      return [];
    }
  });
}

/**
 * Names among the containers that lead to no record, but for those that somebody makes or removes,
 * and empty directories, which a kill leaves and the next container of the name takes over.
 *
 * @param known ids of the others
 */
export function unrecorded(store: Store, known: ReadonlySet<string>): string[] {
  const isEmpty = (name: string) => exists(name) && namesIn(name).length === 0;
  return namesIn(store.containers).filter((id) => {
    const name = containerPath(store.path, id);
    return !known.has(id) && !isClaimed(name, store.staging) && !isEmpty(name);
  });
}

/** The root filesystem of a container, as drivers take it. */
export function rootfsOf({ id, bundle, record }: Container): ContainerRootfs {
  return { id, rootfs: `${bundle}/${ROOTFS}`, top: record.top };
}

/**
 * Refuses the name of a container that there is.
 *
 * @throws {LayerfsError} `conflict`
 */
export function checkNew(store: string, id: string): void {
  if (findContainer(store, id) === null) return;
  throw new LayerfsError(
    "conflict",
    `Cannot create container "${id}": there is one of that name; take another --name, or remove ` +
      `it with layerfs rm ${id}`,
    { id },
  );
}

/**
 * Refuses a name or a place that is taken.
 *
 * @param store path of the store
 * @throws {LayerfsError} `conflict`
 */
export function checkFree(store: string, id: string, bundle: string): void {
  checkNew(store, id);
  let names: string[];
  try {
    names = namesIn(bundle);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return;
    throw storageError(error, `Cannot use bundle directory "${bundle}"`);
  }
  if (names.length === 0) return;
  const isInStore = bundle === containerPath(store, id);
  throw new LayerfsError(
    "conflict",
    isInStore
      ? `Cannot create container "${id}": one of that name is being made or removed; try again, or ` +
        "see layerfs fsck"
      : `Cannot use bundle directory "${bundle}": it is not empty`,
    { id, bundle },
  );
}
