/**
 * Deltas: an image without the layers that the other side has already.
 *
 * A delta is an ordinary layout or archive, with manifest and config whole, that lacks some layers;
 * the entry of its index.json says by an annotation which image has them.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
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
  return {
    graph: { ...graph, blobs: graph.blobs.filter((blob) => !isLacking(blob)) },
    annotations: lacking.length === 0 ? {} : { [NEEDS]: exactName(base) },
    lacking: {
      layers: lacking.length,
      bytes: lacking.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    },
  };
}

/** A reference that means this very content, whatever its tag comes to mean. */
function exactName({ reference, roots: [root] }: ImageGraph): string {
  const parsed = parseReference(reference);
  if (root === undefined || parsed.transport === "docker-archive") return reference;
  if (parsed.transport === "oci" || parsed.transport === "oci-archive") {
    return `${parsed.transport}:${parsed.path}@${root.digest}`;
  }
  return parsed.digest === undefined ? `${reference}@${root.digest}` : reference;
}
