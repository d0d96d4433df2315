/**
 * `layerfs push`.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { parseReference } from "../../oci/reference.ts";
import { copyImage } from "../../transfer/copy.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { copyOutcome, copyRequest } from "../copy_request.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";

/** Copies an image of the store to a registry, or elsewhere, and prints its digest. */
export async function push(
  { values, operands }: Input<(typeof SPECS)["push"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [source = "", named = ""] = operands;
  if (parseReference(source).transport !== "store") {
    throw new LayerfsError(
      "usage",
      `Cannot push "${source}": it is no name of an image of the store; use layerfs copy`,
      { reference: source },
    );
  }
  // Nobody pushes from the store to the store: a bare name is that of a registry here.
  const destination = parseReference(named).transport === "store" ? `docker://${named}` : named;
  const request = {
    ...copyRequest(values, context),
    ...registryAccess(values, context, () => imageHost(destination)),
    pull: "never" as const,
  };
  return copyOutcome(await copyImage({ ...request, source, destination }));
}
