/**
 * ChainIDs: names for what a stack of layers gives when applied in order (image-spec config.md,
 * "Layer ChainID").
 *
 * @example
 * ```ts
 * import { chainIds } from "./chain_id.ts";
 * import { parseDigest } from "../oci/digest.ts";
 *
 * const diffId = parseDigest("sha256:" + "0".repeat(64));
 * const [first, second] = chainIds([diffId, diffId]);
 * console.assert(first === diffId && second !== diffId);
 * ```
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import { digestBytes } from "./hasher.ts";

/**
 * The ChainID of each layer of a stack, base first. The first is the layer's own diffID; each next
 * one is the SHA-256 of the one below, a space, and the layer's diffID, whatever algorithm the
 * diffIDs use.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chain;
}

function sha256(text: string): Digest {
  return digestBytes(new TextEncoder().encode(text), "sha256");
}
