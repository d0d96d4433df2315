/**
 * `layerfs diff`.
 *
 * @module
 */

import { diffContainer } from "../../container/diff.ts";
import { printable } from "../../errors.ts";
import { containerHost } from "../container_host.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";

/** Prints a line for each name that a container has changed. */
export async function diff(
  { values, operands }: Input<(typeof SPECS)["diff"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const id = operands[0] ?? "";
  const work = storeWork(context);
  const access = registryAccess(values, context, () => containerHost(work.store, id));
  const rows = await diffContainer({ ...work, ...access }, id);
  const text = rows.map(({ kind, path }) => `${kind} ${printable(path)}\n`).join("");
  return { document: rows, text };
}
