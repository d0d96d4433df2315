/**
 * `layerfs squash`.
 *
 * @module
 */

import { fullName } from "../../container/images.ts";
import { squash as squashImage } from "../../container/squash.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { sourceDate } from "../source_date.ts";
import { storeWork } from "../store_work.ts";
import { formatBytes } from "../style.ts";

/** Makes an image of one layer and prints its digest. */
export async function squash(
  { values, operands }: Input<(typeof SPECS)["squash"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [image = "", name = ""] = operands;
  const epoch = sourceDate(context.io);
  const work = {
    ...storeWork(context),
    ...registryAccess(values, context, () => imageHost(image)),
    epoch,
    platform: values.platform,
  };
  const squashed = await squashImage({ ...work, image, name });
  const { warnings, digest, bytes } = squashed;
  return {
    document: { ...squashed, platform: formatPlatform(squashed.platform) },
    text: `${digest}\n`,
    warnings,
    remark: `image ${fullName(squashed)}: one layer, ${formatBytes(bytes)}`,
  };
}
