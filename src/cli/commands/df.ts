/**
 * `layerfs df`.
 *
 * @module
 */

import { storeSpace } from "../../container/df.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatBytes } from "../style.ts";
import { formatTable } from "../table.ts";

const HEAD = ["WHAT", "COUNT", "SIZE", "RECLAIMABLE"];

/** Shows what the store takes. */
export async function df(
  _input: Input<(typeof SPECS)["df"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const document = await storeSpace(context.store(), context.onWarning);
  const { capacity, ...kinds } = document;
  const rows = Object.entries(kinds).map(([what, { count, bytes, reclaimableBytes }]) => [
    what,
    `${count}`,
    formatBytes(bytes),
    reclaimableBytes === null ? "?" : formatBytes(reclaimableBytes),
  ]);
  const free = capacity === null ? "" : `\n${formatBytes(capacity.availableBytes)} are free\n`;
  return { document, text: formatTable(HEAD, rows, context.style) + free };
}
