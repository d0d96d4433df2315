/**
 * `layerfs mount`.
 *
 * @module
 */

import { mount as mountSubject } from "../../container/mount.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";

/** Mounts a container or an image and prints the path. */
export async function mount(
  { values, operands }: Input<(typeof SPECS)["mount"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const path = await mountSubject(
    {
      ...storeWork(context),
      ...registryAccess(values, context, () => imageHost(operands[0] ?? "")),
      platform: values.platform,
    },
    operands[0] ?? "",
  );
  return { document: { path }, text: `${path}\n` };
}
