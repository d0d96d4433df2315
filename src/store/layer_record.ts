/**
 * What a store knows of a layer beside its content.
 *
 * @module
 */

import type { Traits } from "../layer/traits.ts";
import { type Digest, digestHex, digestProblem, parseDigest } from "../oci/digest.ts";

/** Kept with every layer: user properties of a ZFS snapshot, a JSON file with the other drivers. */
export interface LayerRecord {
  /** Of this layer on top of those below it. */
  readonly chainId: Digest;
  /** Of the layer's uncompressed tar. */
  readonly diffId: Digest;
  /** ChainID of the layer below; null for a base layer. */
  readonly parent: Digest | null;
  /** Of the whole stack, this layer included. */
  readonly traits: Traits;
}

/** A layer of a store. */
export interface StoredLayer extends LayerRecord {
  /** Bytes on disk that it adds to the layers below it. */
  readonly bytes: number;
  /** Whether its tree is mounted for somebody to read (see `layerfs mount`). */
  readonly mounted: boolean;
}

/**
 * The name of a layer on disk: the hex digits of its ChainID. Those of sha256 and sha512 differ in
 * length, so that no two layers share one.
 */
export function layerName(chainId: Digest): string {
  return digestHex(chainId);
}

/** The ChainID that {@linkcode layerName} made `name` of; null where it is none of those. */
export function layerOfName(name: string): Digest | null {
  const algorithm = name.length === 128 ? "sha512" : "sha256";
  const digest = `${algorithm}:${name}`;
  return digestProblem(digest) === null ? parseDigest(digest) : null;
}
