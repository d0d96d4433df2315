/**
 * `layerfs tag`.
 *
 * @module
 */

import { tagImage } from "../../container/images.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";

/** Gives an image of the store another name and prints that. */
export async function tag(
  { operands }: Input<(typeof SPECS)["tag"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const [image = "", name = ""] = operands;
  const options = { ...context.store(), signal: context.signal };
  const tagged = await tagImage(options, image, name);
  return { document: { tagged }, text: `${tagged}\n` };
}
