/**
 * `layerfs info`.
 *
 * @module
 */

import { storeInfo } from "../../container/info.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatFacts } from "../table.ts";

/** Shows what the store and the machine offer. */
export async function info(
  _input: Input<(typeof SPECS)["info"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const document = await storeInfo(context.store());
  return { document, text: formatFacts(document) };
}
