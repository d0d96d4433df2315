/**
 * Deltas: an image without the layers that the other side has already.
 *
 * A delta is an ordinary layout or archive, with manifest and config whole, that lacks some layers;
 * the entry of its index.json says by an annotation which image has them.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import { NEEDS } from "../source/delta_annotation.ts";
import type { ImageGraph } from "./graph.ts";

/** What goes into a delta. */
export interface Delta {
  /** The image without the layers. */
  readonly graph: ImageGraph;
  /** What its entry of index.json says. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Layers that it lacks, and the bytes that they have together. */
  readonly lacking: { readonly layers: number; readonly bytes: number };
}

/**
 * Takes the layers out of an image that another one has.
 *
 * @param base the image that the other side has
 */
export function withoutLayersOf(graph: ImageGraph, base: ImageGraph): Delta {
  const there = new Set<Digest>(base.blobs.map(({ descriptor }) => descriptor.digest));
  const isLacking = ({ role, descriptor }: ImageGraph["blobs"][number]) =>
    role === "layer" && there.has(descriptor.digest);
  const lacking = graph.blobs.filter(isLacking);
  const [root] = base.roots;
  const needs = root === undefined || base.reference.includes("@")
    ? base.reference
    : `${base.reference}@${root.digest}`;
  return {
    graph: { ...graph, blobs: graph.blobs.filter((blob) => !isLacking(blob)) },
    annotations: lacking.length === 0 ? {} : { [NEEDS]: needs },
    lacking: {
      layers: lacking.length,
      bytes: lacking.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    },
  };
}
