/**
 * `layerfs create`.
 *
 * @module
 */

import { createContainer } from "../../container/create.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { createOutcome, createRequest } from "../create_request.ts";
import { requireCreatePermissions } from "../preflight.ts";
import type { SPECS } from "../specs.ts";

/** Makes a container and prints the path of its bundle. */
export async function create(
  input: Input<(typeof SPECS)["create"]["options"]>,
  context: Context,
): Promise<Outcome> {
  requireCreatePermissions();
  return createOutcome(await createContainer(createRequest(input, context)));
}
