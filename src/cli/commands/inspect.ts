/**
 * `layerfs inspect`.
 *
 * @module
 */

import { findContainer } from "../../container/containers.ts";
import { inspectContainer, inspectImage } from "../../container/inspect.ts";
import { getLayer } from "../../container/layers.ts";
import { namesContainer } from "../../container/mount.ts";
import { LayerfsError } from "../../errors.ts";
import { parseDigest } from "../../oci/digest.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";

/** The ChainID of a layer. */
const CHAIN_ID = /^sha(?:256|512):[0-9a-f]+$/;

/** Shows an image, a container or a layer as JSON, with `--json` and without. */
export async function inspect(
  { values, operands }: Input<(typeof SPECS)["inspect"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const document = await find(operands[0] ?? "", values.platform, context);
  return { document, text: JSON.stringify(document, null, 2) + "\n" };
}

async function find(
  subject: string,
  platform: string | undefined,
  context: Context,
): Promise<unknown> {
  if (CHAIN_ID.test(subject)) return await getLayer(context.store(), parseDigest(subject));
  if (!namesContainer(subject)) return await inspectImage(subject, { platform });
  const store = context.store();
  if (findContainer(store.store, subject) !== null) return inspectContainer(store, subject);
  try {
    return await inspectImage(subject, { platform, store: store.store });
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "not-found") throw error;
    throw new LayerfsError(
      "not-found",
      `Cannot find "${subject}": the store "${store.store}" has no container and no image of that ` +
        "name; see layerfs ps and layerfs images",
      { subject },
    );
  }
}
