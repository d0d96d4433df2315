/**
 * `layerfs ps`.
 *
 * @module
 */

import { listContainers } from "../../container/list.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatBytes } from "../style.ts";
import { formatTable } from "../table.ts";

const HEAD = ["ID", "IMAGE", "CREATED", "DRIVER", "MOUNTED", "SIZE", "BUNDLE"];

/** Lists the containers. */
export async function ps(
  _input: Input<(typeof SPECS)["ps"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const containers = await listContainers(context.store(), context.onWarning);
  const rows = containers.map(({ id, image, created, driver, mounted, ownBytes, bundle }) => [
    id,
    image ?? "-",
    created.replace(/\.\d+/, ""),
    driver,
    mounted ? "yes" : "no",
    formatBytes(ownBytes),
    bundle,
  ]);
  const text = context.globals.quiet
    ? containers.map(({ id }) => `${id}\n`).join("")
    : formatTable(HEAD, rows, context.style);
  return { document: containers, text };
}
