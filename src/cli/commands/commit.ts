/**
 * `layerfs commit`.
 *
 * @module
 */

import { commitContainer } from "../../container/commit.ts";
import { fullName } from "../../container/images.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { containerHost } from "../container_host.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { sourceDate } from "../source_date.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";
import { formatBytes } from "../style.ts";

/** Makes an image of a container and prints its digest. */
export async function commit(
  { values, operands }: Input<(typeof SPECS)["commit"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [id = "", name = ""] = operands;
  const { author, message, change: changes } = values;
  const epoch = sourceDate(context.io);
  const work = storeWork(context);
  const committed = await commitContainer({
    ...work,
    ...registryAccess(values, context, () => containerHost(work.store, id)),
    id,
    name,
    author,
    message,
    changes,
    epoch,
  });
  const { warnings, digest, bytes } = committed;
  const count = committed.changes === 1 ? "1 change" : `${committed.changes} changes`;
  return {
    document: { ...committed, platform: formatPlatform(committed.platform) },
    text: `${digest}\n`,
    warnings,
    remark: `image ${fullName(committed)}: ${count}, ${formatBytes(bytes)}`,
  };
}
