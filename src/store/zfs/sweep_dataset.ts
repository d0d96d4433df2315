/**
 * Removal of what dead processes have left below R/staging.
 *
 * @module
 */

import { type DatasetNames, DEFERRED } from "./dataset_names.ts";
import { FOREIGN_PROPERTIES, refuseChildren, snapshotsOf } from "./foreign.ts";
import { destroyDataset, refusalError, removeMountPoint } from "./mounting.ts";
import type { Properties } from "./properties.ts";
import { deferSnapshots } from "./remove_layer.ts";

/** What {@linkcode sweepDataset} is to be given of a dataset, and of all below it. */
export const SWEEP_PROPERTIES = [...FOREIGN_PROPERTIES, "mountpoint", "mounted"] as const;

/**
 * Destroys a dataset below R/staging. One of a removed layer that something foreign needs may stay.
 *
 * @throws {LayerfsError} where it cannot be
 */
export async function sweepDataset(
  names: DatasetNames,
  dataset: string,
  all: Properties,
  action: string,
): Promise<void> {
  refuseChildren(dataset, all, action);
  const properties = all.get(dataset);
  const place = properties?.get("mountpoint") ?? "none";
  const failure = await destroyDataset(dataset);
  if (failure === null) {
    // Where it was not mounted, somebody else may be about to mount the same layer there.
    if (properties?.get("mounted") === "yes") removeMountPoint(place);
    return;
  }
  const isForeign = failure.kind === "cloned" || failure.kind === "held";
  const isDeferred = dataset.slice(dataset.lastIndexOf("/") + 1).startsWith(DEFERRED);
  if (!isForeign || !isDeferred) throw await refusalError(names, failure, dataset, place, action);
  // Killed between the two steps of a removal; or the removal still waits for what is foreign.
  await deferSnapshots(snapshotsOf(dataset, all), action);
}
