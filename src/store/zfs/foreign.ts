/**
 * What people have made of, or in, a dataset of the store: no removal takes a dataset of theirs.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Properties } from "./properties.ts";

/** What {@linkcode refuseChildren} is to be given of a dataset and all below it. */
export const CHILD_PROPERTIES = ["type"] as const;

/**
 * Refuses to destroy a dataset that others are below of: "destroy -r" would take them along. Its
 * snapshots are views of it, and go with it.
 *
 * @param all of `dataset` and all below it, with {@linkcode CHILD_PROPERTIES}
 * @throws {LayerfsError} `conflict`
 */
export function refuseChildren(dataset: string, all: Properties, action: string): void {
  const isOther = (type: string | undefined) => type === "filesystem" || type === "volume";
  const child = [...all].find(([name, own]) => name !== dataset && isOther(own.get("type")))?.[0];
  if (child === undefined) return;
  const state =
    `dataset "${child}" is below "${dataset}", and not made by layerfs; "zfs rename" it ` +
    `to another place, or "zfs destroy" it`;
  throw new LayerfsError("conflict", `${action}: ${state}`, { dataset, child });
}
