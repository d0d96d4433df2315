/**
 * `layerfs pull`.
 *
 * @module
 */

import { fullName } from "../../container/images.ts";
import { pull as pullImage } from "../../container/pull.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { chooseOne } from "../choose_one.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { pullAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";
import { formatBytes } from "../style.ts";

/** Copies an image into the store and prints its digest. */
export async function pull(
  { values, operands }: Input<(typeof SPECS)["pull"]["options"]>,
  context: Context,
): Promise<Outcome> {
  chooseOne(values, ["all", "platform"]);
  const pulled = await pullImage({
    ...storeWork(context),
    image: operands[0] ?? "",
    ...pullAccess(values, context, () => imageHost(operands[0] ?? "")),
    as: values.as,
    all: values.all,
    platform: values.platform,
  });
  const { copied, reused, digest } = pulled;
  return {
    document: {
      ...pulled,
      platform: pulled.platform === null ? null : formatPlatform(pulled.platform),
    },
    text: `${digest}\n`,
    warnings: pulled.warnings,
    remark: `image ${fullName(pulled)}: ${copied.blobs} blobs copied ` +
      `(${formatBytes(copied.bytes)}), ${reused.blobs} were there`,
  };
}
