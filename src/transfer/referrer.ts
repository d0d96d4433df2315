/**
 * What a manifest with a subject is in a list of that subject's referrers.
 *
 * @module
 */

import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isIndex } from "../oci/media_type.ts";
import type { GraphDocument } from "./graph.ts";

/** A manifest that is about another one. */
export interface Referrer {
  /** What it is about. */
  readonly subject: Digest;
  /**
   * Its descriptor with its type as an artifact and its annotations (distribution-spec, "Pushing
   * Manifests with Subject").
   */
  readonly descriptor: Descriptor;
}

/** @returns null where the document has no subject */
export function referrerOf({ descriptor, bytes }: GraphDocument): Referrer | null {
  const { mediaType, digest, size } = descriptor;
  const { subject, artifactType, annotations } = isIndex(mediaType)
    ? parseIndex(bytes, mediaType)
    : withType(parseManifest(bytes, mediaType));
  if (subject === undefined) return null;
  return {
    subject: subject.digest,
    descriptor: {
      mediaType,
      digest,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  };
}

/** An image manifest that does not say its type is of that of its config. */
function withType(manifest: ReturnType<typeof parseManifest>) {
  return { ...manifest, artifactType: manifest.artifactType ?? manifest.config.mediaType };
}
