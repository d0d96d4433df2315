/**
 * The layers below a layer.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import type { LayerRecord } from "./layer_record.ts";

/**
 * The layer `top` and those below it, the top first, as far as they are there.
 *
 * @param layers by ChainID
 */
export function* stackOf<L extends LayerRecord>(
  top: Digest,
  layers: ReadonlyMap<Digest, L>,
): Generator<L> {
  // A record that was tampered with may name itself below itself: no stack is longer than all layers.
  let left = layers.size;
  for (let id: Digest | null = top; id !== null && left > 0; left--) {
    const layer: L | undefined = layers.get(id);
    if (layer === undefined) return;
    yield layer;
    id = layer.parent;
  }
}
