/**
 * Which entries of a layout's index.json a reference means.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { LayoutReference } from "../oci/reference.ts";
import { quote } from "../oci/strict_json.ts";

/** Images that a message lists before it stops. */
const LISTED = 20;

/**
 * The entries with the tag or digest of the reference; without one, those of the only tag. Several
 * entries of one tag are a choice for the platform to make, not an ambiguity.
 *
 * @throws {LayerfsError} `not-found`, or `conflict` where several images could be meant; both list
 * what there is
 */
export function selectDescriptors(
  descriptors: readonly Descriptor[],
  wanted: LayoutReference,
): readonly Descriptor[] {
  const { tag, digest, path, transport } = wanted;
  const images = descriptors.filter(({ mediaType }) => isManifest(mediaType) || isIndex(mediaType));
  const chosen = images.filter((descriptor) =>
    (tag === undefined || tagOf(descriptor) === tag) &&
    (digest === undefined || descriptor.digest === digest)
  );
  if (chosen.length === 0) {
    const name = tag === undefined ? digest ?? "an image" : `tag ${quote(tag)}`;
    throw new LayerfsError(
      "not-found",
      `Cannot find ${name} in "${path}": there is ${listImages(descriptors)}`,
      { path },
    );
  }
  // Equal content under two entries is one image.
  if (digest !== undefined) return chosen.slice(0, 1);
  if (new Set(chosen.map(tagOf)).size === 1) return chosen;
  throw new LayerfsError(
    "conflict",
    `Cannot choose an image in "${path}": there is ${listImages(descriptors)}; name one as ` +
      `${transport}:${path}:TAG or ${transport}:${path}@DIGEST`,
    { path },
  );
}

/** The images among `descriptors` by tag, or by digest where they have none, for messages. */
export function listImages(descriptors: readonly Descriptor[]): string {
  const images = descriptors.filter(({ mediaType }) => isManifest(mediaType) || isIndex(mediaType));
  const names = new Set(images.map((descriptor) => {
    const tag = tagOf(descriptor);
    const { platform } = descriptor;
    const suffix = platform === undefined ? "" : ` (${formatPlatform(platform)})`;
    return (tag === undefined ? descriptor.digest : quote(tag)) + suffix;
  }));
  if (names.size === 0) return "no image";
  const listed = [...names].slice(0, LISTED).join(", ");
  return names.size > LISTED ? `${listed} and ${names.size - LISTED} more` : listed;
}

function tagOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[REF_NAME];
}
