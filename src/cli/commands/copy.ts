/**
 * `layerfs copy`.
 *
 * @module
 */

import { copyImage } from "../../transfer/copy.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { copyAccess } from "../copy_access.ts";
import { copyOutcome, copyRequest } from "../copy_request.ts";
import type { SPECS } from "../specs.ts";

/** Copies an image from anywhere to anywhere and prints its digest. */
export async function copy(
  { values, operands }: Input<(typeof SPECS)["copy"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [source = "", destination = ""] = operands;
  const layersMissingFrom = values["layers-missing-from"];
  return copyOutcome(
    await copyImage({
      ...copyRequest(values, context),
      ...copyAccess(values, context, { source, destination, base: layersMissingFrom }),
      source,
      destination,
      ...(layersMissingFrom === undefined ? {} : { layersMissingFrom }),
    }),
  );
}
