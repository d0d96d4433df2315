/**
 * `layerfs gc`: removal of what neither images nor containers need.
 *
 * @module
 */

import { collectGarbage, type GcResult } from "../store/gc.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers } from "./containers.ts";

/** How to collect. */
export interface GcOptions extends StoreOptions {
  /** Removes nothing. */
  readonly dryRun: boolean;
  /** Ends the wait for others who work in the store. */
  readonly signal: AbortSignal;
}

/**
 * Removes layers, blobs and litter that nothing needs; waits until nobody else works in the store.
 *
 * @throws {LayerfsError} `storage` where a container's record cannot be read, as nobody knows then
 * what that container needs
 */
export async function removeUnused(options: GcOptions): Promise<GcResult> {
  const { dryRun, signal } = options;
  if (await Store.read(options) === null) return nothing(dryRun);
  using store = await Store.open(options, "exclusive", signal);
  const containers = allContainers(store.path, (error) => {
    throw error;
  });
  return await collectGarbage(store, containers.flatMap(({ record }) => record.top ?? []), dryRun);
}

function nothing(dryRun: boolean): GcResult {
  return { dryRun, layers: [], deferred: [], blobs: [], staging: [], freedBytes: 0 };
}
