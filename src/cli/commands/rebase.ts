/**
 * `layerfs rebase`.
 *
 * @module
 */

import { rebaseContainer } from "../../container/rebase.ts";
import { printable } from "../../errors.ts";
import { chooseOne } from "../choose_one.ts";
import { containerHost } from "../container_host.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";

/** Moves a container to another image and prints how conflicts were settled. */
export async function rebase(
  { values, operands }: Input<(typeof SPECS)["rebase"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const settlement = chooseOne(values, ["ours", "theirs", "fail"]) ?? "fail";
  const [id = "", image = ""] = operands;
  const work = storeWork(context);
  const host = () => imageHost(image) ?? containerHost(work.store, id);
  const result = await rebaseContainer({
    ...work,
    ...registryAccess(values, context, host),
    id,
    image,
    settlement,
  });
  const { conflicts, applied, warnings } = result;
  const rows = conflicts.map(({ path, ours, theirs, settled }) => {
    return `${ours}${theirs} ${settled} ${printable(path)}\n`;
  });
  const count = applied === 1 ? "1 change" : `${applied} changes`;
  return {
    document: result,
    text: `${rows.join("")}${id}\n`,
    warnings,
    remark: `container ${id}: ${count} on top of ${result.image.reference}`,
  };
}
