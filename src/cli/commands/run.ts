/**
 * `layerfs run`.
 *
 * @module
 */

import { runContainer } from "../../container/run.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { createRequest } from "../create_request.ts";
import { requireCreatePermissions } from "../preflight.ts";
import type { SPECS } from "../specs.ts";

/** Makes a container and runs it; standard output belongs to the container. */
export async function run(
  input: Input<(typeof SPECS)["run"]["options"]>,
  context: Context,
): Promise<Outcome> {
  requireCreatePermissions();
  const { rm, runtime } = input.values;
  const status = await runContainer({
    ...createRequest(input, context),
    remove: rm,
    onWarning: context.onWarning,
    ...(runtime === undefined ? {} : { runtime }),
  });
  return { status };
}
