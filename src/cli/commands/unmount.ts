/**
 * `layerfs unmount`.
 *
 * @module
 */

import { unmount as unmountSubject } from "../../container/mount.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";

/** Unmounts a container or an image and prints its name. */
export async function unmount(
  { values, operands }: Input<(typeof SPECS)["unmount"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const subject = operands[0] ?? "";
  await unmountSubject({
    ...storeWork(context),
    ...registryAccess(values, context, () => imageHost(subject)),
    platform: values.platform,
  }, subject);
  return { document: { unmounted: subject }, text: `${subject}\n` };
}
