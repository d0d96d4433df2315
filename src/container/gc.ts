/**
 * `layerfs gc`: removal of what neither images nor containers need.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { RECORD_FILE } from "../store/claim.ts";
import { collectGarbage, type GcResult } from "../store/gc.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers, containerPath, unrecorded } from "./containers.ts";

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
 * what that container needs; `busy`, `conflict`, `storage` once all else is removed, with all
 * `failures` in its data
 */
export async function removeUnused(options: GcOptions): Promise<GcResult> {
  const { dryRun, signal } = options;
  if (await Store.read(options) === null) return nothing(dryRun);
  using store = await Store.open(options, "exclusive", signal);
  return await collectGarbage(store, containerTops(store), { dryRun, signal });
}

/**
 * ChainIDs of the layers that the containers of a store need: none, where each has its own copy.
 *
 * @throws {LayerfsError} `storage` where that cannot be told of one
 */
export function containerTops(store: Store): Digest[] {
  if (!store.driver.rootfsNeedsLayers) return [];
  const containers = allContainers(store.path, (error) => {
    throw error;
  });
  const known = new Set(containers.map(({ id }) => id));
  for (const id of unrecorded(store, known)) {
    const name = containerPath(store.path, id);
    throw new LayerfsError(
      "storage",
      `Cannot tell what container "${id}" needs: "${name}" leads to no bundle with a ` +
        `"${RECORD_FILE}"; mount the filesystem that it is on, and run layerfs fsck --repair, ` +
        "which gives a root filesystem its record",
      { id },
    );
  }
  return containers.flatMap(({ record }) => record.top ?? []);
}

function nothing(dryRun: boolean): GcResult {
  return { dryRun, layers: [], deferred: [], blobs: [], staging: [], freedBytes: 0 };
}
