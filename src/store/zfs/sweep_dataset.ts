/**
 * Removal of what dead processes have left below R/staging.
 *
 * @module
 */

import { DEFERRED, LAYER_SNAPSHOT } from "./dataset_names.ts";
import { destroyDataset, refusalError, removeMountPoint } from "./mounting.ts";
import { tryZfs } from "./zfs.ts";

/** What {@linkcode sweepDataset} is to be given. */
export const SWEEP_PROPERTIES = ["mountpoint", "mounted"] as const;

/**
 * Destroys a dataset below R/staging. One of a removed layer that something foreign needs may stay.
 *
 * @throws {LayerfsError} where it cannot be
 */
export async function sweepDataset(
  dataset: string,
  properties: ReadonlyMap<string, string>,
  action: string,
): Promise<void> {
  const place = properties.get("mountpoint") ?? "none";
  const failure = await destroyDataset(dataset);
  if (failure === null) {
    // Where it was not mounted, somebody else may be about to mount the same layer there.
    if (properties.get("mounted") === "yes") removeMountPoint(place);
    return;
  }
  if (failure.kind !== "cloned" && failure.kind !== "held") {
    throw await refusalError(failure, dataset, place, action);
  }
  // Killed between the two steps of a removal; or the removal still waits for what is foreign.
  await tryZfs(["destroy", "-d", `${dataset}@${LAYER_SNAPSHOT}`]);
  const isDeferred = dataset.slice(dataset.lastIndexOf("/") + 1).startsWith(DEFERRED);
  if (!isDeferred) throw await refusalError(failure, dataset, place, action);
}
