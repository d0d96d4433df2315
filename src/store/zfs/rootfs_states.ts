/**
 * The states of root filesystems.
 *
 * @module
 */

import type { ContainerRootfs, RootfsState } from "../driver.ts";
import { isMountPoint } from "../mount_point.ts";
import type { DatasetNames } from "./dataset_names.ts";
import type { Properties } from "./properties.ts";

/** What {@linkcode statesOf} is to be given. */
export const STATE_PROPERTIES = ["used", "quota"] as const;

/**
 * The states of those of `containers` that are there, by id.
 *
 * @param all their datasets, with {@linkcode STATE_PROPERTIES}
 */
export function statesOf(
  names: DatasetNames,
  containers: readonly ContainerRootfs[],
  all: Properties,
): ReadonlyMap<string, RootfsState> {
  const states = new Map<string, RootfsState>();
  for (const { id, rootfs } of containers) {
    const own = all.get(names.container(id));
    if (own === undefined) continue;
    const quota = Number(own.get("quota")); // 0 for none
    states.set(id, {
      mounted: isMountPoint(rootfs),
      ownBytes: Number(own.get("used")),
      ...(quota > 0 ? { quota } : {}),
    });
  }
  return states;
}
