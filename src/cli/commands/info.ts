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
  const { driver, driverReason, programs, ...facts } = document;
  const shown = {
    ...facts,
    driver: `${driver ?? "unknown"} (${driverReason})`,
    programs: Object.fromEntries(
      programs.map(({ program, version }) => [program, version ?? "missing"]),
    ),
  };
  return { document, text: formatFacts(shown) };
}
