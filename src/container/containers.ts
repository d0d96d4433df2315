/**
 * The containers of a store, found by name.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError } from "../errors.ts";
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
  return `${path.resolve(store)}/containers/${id}`;
}

/** The container `id` of `store`, or null. */
export function findContainer(store: string, id: string): Container | null {
  if (id === "" || id.includes("/") || id.startsWith(".")) return null;
  const name = containerPath(store, id);
  const record = readRecord(name);
  if (record === null) return null;
  try {
    return { id, bundle: fs.realpathSync(name), record };
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

/** All containers of `store`, by name; none where there is no store yet. */
export function allContainers(store: string): Container[] {
  let names: string[];
  try {
    names = fs.readdirSync(`${path.resolve(store)}/containers`);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
    throw storageError(error, `Cannot list the containers of "${store}"`);
  }
  return names.sort().flatMap((id) => findContainer(store, id) ?? []);
}
