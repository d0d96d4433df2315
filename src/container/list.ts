/**
 * `layerfs ps`: the containers of a store.
 *
 * @module
 */

import type { DriverName } from "../store/driver.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers, rootfsOf } from "./containers.ts";

/** A container as `ps --json` prints it. */
export interface ContainerRow {
  /** The container's id. */
  readonly id: string;
  /** Reference of its image; null where it has none. */
  readonly image: string | null;
  /** RFC 3339. */
  readonly created: string;
  /** What keeps its root filesystem. */
  readonly driver: DriverName;
  /** Absolute path. */
  readonly bundle: string;
  /** Whether its root filesystem can be used as it is; `layerfs mount` makes it so. */
  readonly mounted: boolean;
  /** Bytes on disk that only this container takes. */
  readonly ownBytes: number;
}

/**
 * All containers, by id.
 *
 * @param onWarning takes what is wrong with a container that cannot be listed
 */
export async function listContainers(
  options: StoreOptions,
  onWarning: (warning: string) => void = () => {},
): Promise<ContainerRow[]> {
  const store = await Store.read(options);
  if (store === null) return [];
  const containers = allContainers(store.path, ({ message }) => onWarning(message));
  const states = await store.driver.rootfsStates(containers.map(rootfsOf));
  return containers.map(({ id, bundle, record }) => ({
    id,
    image: record.image?.reference ?? null,
    created: record.created,
    driver: record.driver,
    bundle,
    mounted: states.get(id)?.mounted ?? false,
    ownBytes: states.get(id)?.ownBytes ?? 0,
  }));
}
