/**
 * `layerfs layers`.
 *
 * @module
 */

import { listLayers } from "../../container/layers.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatBytes } from "../style.ts";
import { formatTable } from "../table.ts";

const HEAD = ["CHAIN ID", "SIZE", "IMAGES", "CONTAINERS"];

/** Lists the layers. */
export async function layers(
  _input: Input<(typeof SPECS)["layers"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const document = await listLayers(context.store(), context.onWarning);
  const rows = document.map(({ chainId, bytes, images, containers }) => [
    chainId,
    formatBytes(bytes),
    images.join(" ") || "-",
    containers.join(" ") || "-",
  ]);
  const text = context.globals.quiet
    ? document.map(({ chainId }) => `${chainId}\n`).join("")
    : formatTable(HEAD, rows, context.style);
  return { document, text };
}
