/**
 * Giving an altered layer its contents again.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { isMountPoint } from "../mount_point.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { snapshotsOf } from "./foreign.ts";
import { mountDataset, refusalError, unmountDataset, VIEW_OPTIONS } from "./mounting.ts";
import { propertiesBelow } from "./properties.ts";
import { tryPatiently } from "./zfs.ts";

/**
 * Takes a layer's dataset back to its snapshot, which nothing can change. Never with "-r": what
 * somebody has kept of the dataset since stays, and the dataset as it is.
 *
 * @param view where its tree is mounted, if it is; it is so afterwards
 * @throws {LayerfsError} `conflict` where there is a later snapshot, `busy`
 */
export async function restoreLayer(
  names: DatasetNames,
  chainId: Digest,
  view: string,
): Promise<void> {
  const action = `Cannot restore layer ${chainId}`;
  const [dataset, snapshot] = [names.layer(chainId), names.snapshot(chainId)];
  const all = await propertiesBelow([dataset], ["type"], action);
  const later = snapshotsOf(dataset, all).find((name) => name !== snapshot);
  if (later !== undefined) {
    const state =
      `its snapshot "${later}" would be lost; "zfs destroy" it, or send it to another ` +
      "place first";
    throw new LayerfsError("conflict", `${action}: ${state}`, { dataset, snapshot: later });
  }
  const mounted = isMountPoint(view);
  if (mounted) await unmountDataset(dataset, view, action);
  const failure = await tryPatiently(["rollback", snapshot]);
  if (failure !== null) throw await refusalError(names, failure, dataset, view, action);
  if (mounted) await mountDataset(dataset, view, action, VIEW_OPTIONS);
}
