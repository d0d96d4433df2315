/**
 * `layerfs squash`.
 *
 * @module
 */

import { fullName } from "../../container/images.ts";
import { squash as squashImage } from "../../container/squash.ts";
import { LayerfsError } from "../../errors.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";
import { formatBytes } from "../style.ts";

/** The variable of reproducible-builds.org. */
const EPOCH = "SOURCE_DATE_EPOCH";

/** Makes an image of one layer and prints its digest. */
export async function squash(
  { values, operands }: Input<(typeof SPECS)["squash"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [image = "", name = ""] = operands;
  const epoch = parseEpoch(context.io.env([EPOCH]).get(EPOCH));
  const work = {
    ...storeWork(context),
    ...registryAccess(values, context),
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

function parseEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new LayerfsError(
    "usage",
    `Cannot use ${EPOCH}: "${text}" is not a number of seconds since 1970`,
    { variable: EPOCH },
  );
}
