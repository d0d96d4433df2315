/**
 * Image indexes and Docker's manifest lists (image-spec image-index.md). The index.json of a layout
 * is one.
 *
 * @example
 * ```ts
 * import { parseIndex } from "./image_index.ts";
 *
 * const index = parseIndex(new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}'));
 * console.assert(index.manifests.length === 0);
 * ```
 *
 * @module
 */

import { type Descriptor, optionalMediaType, readDescriptor } from "./descriptor.ts";
import { Fields } from "./fields.ts";
import { documentType, rejectMembers } from "./manifest.ts";
import { isIndex, OCI_INDEX } from "./media_type.ts";
import { parseJson } from "./strict_json.ts";

/** An image index. */
export interface ImageIndex {
  /** The only one there is. */
  readonly schemaVersion: 2;
  /** What the document says it is; where it does not, what it was expected to be. */
  readonly mediaType: string;
  /** Of manifests, nested indexes and whatever else, in order; may be empty. */
  readonly manifests: readonly Descriptor[];
  /** Arbitrary metadata. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The manifest that this index is about. */
  readonly subject?: Descriptor;
  /** Type of the artifact, where it is one. */
  readonly artifactType?: string;
}

/**
 * Parses an image index.
 *
 * @param mediaType the type that the document's descriptor names; the document must agree with it
 * @throws {LayerfsError} `image-invalid`; `unsupported` for schema 1
 */
export function parseIndex(bytes: Uint8Array, mediaType?: string): ImageIndex {
  const fields = new Fields("index", "", parseJson(bytes, "index"));
  const type = documentType(fields, mediaType, isIndex, "an image index") ?? OCI_INDEX;
  rejectMembers(fields, ["config", "layers", "fsLayers"], "a manifest");
  if (!fields.has("manifests")) throw fields.error("manifests", "an array");
  const subject = fields.object("subject");
  return {
    schemaVersion: 2,
    mediaType: type,
    manifests: fields.objects("manifests").map(readDescriptor),
    annotations: fields.stringMap("annotations"),
    ...(subject === undefined ? {} : { subject: readDescriptor(subject) }),
    ...optionalMediaType(fields, "artifactType"),
  };
}
