/**
 * The manifest of an image in a `docker save` archive that is an image layout as well, as those of
 * layerfs and of Docker 25 are.
 *
 * @module
 */

import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isManifest } from "../oci/media_type.ts";
import { readDocument, readVerified } from "./document.ts";
import { blobName, type LayoutFiles } from "./layout_files.ts";
import type { DockerManifest } from "./source.ts";

const INDEX = "index.json";

/**
 * Finds the manifest that index.json has of an image; null where it has none, or several that tell
 * different digests.
 *
 * @param names what manifest.json calls config and layers, base first
 * @throws {LayerfsError} `image-invalid`, `size-mismatch`, `digest-mismatch` for a damaged layout
 */
export function findManifest(files: LayoutFiles, names: readonly string[]): DockerManifest | null {
  const index = files.locate("oci-layout") === null ? null : files.locate(INDEX);
  if (index === null) return null;
  const found = new Map<Digest, DockerManifest | null>();
  for (const descriptor of parseIndex(readDocument(index, INDEX)).manifests) {
    // One by one, however many names it has.
    if (!found.has(descriptor.digest)) {
      found.set(descriptor.digest, readManifest(files, descriptor, names));
    }
  }
  const [only, ...others] = [...found.values()].filter((manifest) => manifest !== null);
  return only === undefined || others.length > 0 ? null : only;
}

/** The manifest that `entry` names, if it is of the image with these names. */
function readManifest(
  files: LayoutFiles,
  entry: Descriptor,
  names: readonly string[],
): DockerManifest | null {
  const { mediaType, digest, size } = entry;
  const location = isManifest(mediaType) ? files.locate(blobName(digest)) : null;
  if (location === null) return null;
  const bytes = readVerified({ mediaType, digest, size }, () => location);
  const { config, layers } = parseManifest(bytes, mediaType);
  const own = [config, ...layers].map((part) => blobName(part.digest));
  const isOfImage = own.length === names.length && own.every((name, i) => name === names[i]);
  return isOfImage ? { descriptor: { mediaType, digest, size }, bytes, config, layers } : null;
}
