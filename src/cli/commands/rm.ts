/**
 * `layerfs rm`.
 *
 * @module
 */

import { removeContainers } from "../../container/remove.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";

/** Removes containers and prints their names. */
export async function rm(
  { values, operands }: Input<(typeof SPECS)["rm"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const removed = await removeContainers(context.store(), operands, values.force);
  return { document: { removed }, text: removed.map((id) => `${id}\n`).join("") };
}
