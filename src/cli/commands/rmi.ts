/**
 * `layerfs rmi`.
 *
 * @module
 */

import { removeImages } from "../../container/images.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";

/** Removes images and prints their names. */
export async function rmi(
  { values, operands }: Input<(typeof SPECS)["rmi"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const { force } = values;
  const options = { ...context.store(), force, signal: context.signal };
  const removed = await removeImages(options, operands);
  return { document: { removed }, text: removed.map((name) => `${name}\n`).join("") };
}
