/**
 * Which layers are right on top of which.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import type { LayerRecord } from "./layer_record.ts";

/** What is on top of each of some layers, as they come and go. */
export class LayersOnTop {
  readonly #parents = new Map<Digest, Digest>();
  readonly #children = new Map<Digest, Set<Digest>>();

  constructor(layers: Iterable<LayerRecord>) {
    for (const layer of layers) this.add(layer);
  }

  add({ chainId, parent }: LayerRecord): void {
    if (parent === null) return;
    this.#parents.set(chainId, parent);
    const children = this.#children.get(parent);
    if (children === undefined) this.#children.set(parent, new Set([chainId]));
    else children.add(chainId);
  }

  /** That it is not there is no error. */
  delete(chainId: Digest): void {
    const parent = this.#parents.get(chainId);
    if (parent === undefined) return;
    this.#parents.delete(chainId);
    this.#children.get(parent)?.delete(chainId);
  }

  /** One that is on top of the layer; null where there is none. */
  one(chainId: Digest): Digest | null {
    return this.#children.get(chainId)?.values().next().value ?? null;
  }
}
