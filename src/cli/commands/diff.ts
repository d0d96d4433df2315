/**
 * `layerfs diff`.
 *
 * @module
 */

import { diffContainer } from "../../container/diff.ts";
import { printable } from "../../errors.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";

/** Prints a line for each name that a container has changed. */
export async function diff(
  { operands }: Input<(typeof SPECS)["diff"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const rows = await diffContainer(storeWork(context), operands[0] ?? "");
  const text = rows.map(({ kind, path }) => `${kind} ${printable(path)}\n`).join("");
  return { document: rows, text };
}
