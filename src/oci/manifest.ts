/**
 * Image manifests, OCI's and Docker's schema 2 (image-spec manifest.md).
 *
 * @example
 * ```ts
 * import { parseManifest } from "./manifest.ts";
 *
 * const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
 * const manifest = parseManifest(new TextEncoder().encode(JSON.stringify({
 *   schemaVersion: 2,
 *   config: { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 },
 *   layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 2 }],
 * })));
 * console.assert(manifest.layers[0]?.digest === digest);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_LAYERS } from "../limits.ts";
import { type Descriptor, optionalMediaType, readDescriptor } from "./descriptor.ts";
import { Fields } from "./fields.ts";
import { isManifest, OCI_MANIFEST } from "./media_type.ts";
import { parseJson } from "./strict_json.ts";

/** An image manifest. */
export interface Manifest {
  /** The only one there is. */
  readonly schemaVersion: 2;
  /** What the document says it is; where it does not, what it was expected to be. */
  readonly mediaType: string;
  /** Of an image config, or of whatever an artifact has in its place. */
  readonly config: Descriptor;
  /** Base layer first; may be empty. */
  readonly layers: readonly Descriptor[];
  /** Arbitrary metadata. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The manifest that this one is about. */
  readonly subject?: Descriptor;
  /** Type of the artifact, where it is one. */
  readonly artifactType?: string;
}

/**
 * Parses an image manifest.
 *
 * @param mediaType the type that the document's descriptor names; the document must agree with it
 * @throws {LayerfsError} `image-invalid`; `unsupported` for schema 1 and for too many layers
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const fields = new Fields("manifest", "", parseJson(bytes, "manifest"));
  const type = documentType(fields, mediaType, isManifest, "an image manifest") ?? OCI_MANIFEST;
  rejectMembers(fields, ["manifests", "fsLayers"], "another type of document");
  // Go programs write null for an empty list; without the member it is no image manifest.
  if (!fields.includes("layers")) throw fields.error("layers", "an array");
  const layers = fields.array("layers").length;
  if (layers > MAX_LAYERS) {
    throw new LayerfsError(
      "unsupported",
      `Cannot read manifest: layers has ${layers} entries; layerfs takes ${MAX_LAYERS}`,
    );
  }
  const subject = fields.object("subject");
  return {
    schemaVersion: 2,
    mediaType: type,
    config: readDescriptor(fields.requiredObject("config")),
    layers: fields.objects("layers").map(readDescriptor),
    annotations: fields.stringMap("annotations"),
    ...(subject === undefined ? {} : { subject: readDescriptor(subject) }),
    ...optionalMediaType(fields, "artifactType"),
  };
}

/**
 * Checks `schemaVersion` and `mediaType` of a manifest or index. A document that is another type
 * than its descriptor says could be read in two ways by two programs (CVE-2021-41190).
 *
 * @param expected the type that its descriptor names
 * @param known whether a type is one of this kind of document
 * @param kind the kind, in words
 * @returns the document's own type, else the expected one, else undefined
 */
export function documentType(
  fields: Fields,
  expected: string | undefined,
  known: (mediaType: string) => boolean,
  kind: string,
): string | undefined {
  const version = fields.value("schemaVersion");
  if (version === 1) {
    throw new LayerfsError(
      "unsupported",
      `Cannot read ${fields.document}: schemaVersion is 1, an old format of Docker; push the ` +
        "image again with a current tool",
    );
  }
  if (version !== 2) throw fields.error("schemaVersion", "2");
  const type = fields.optionalString("mediaType");
  if (type !== undefined && !known(type)) throw fields.error("mediaType", `that of ${kind}`);
  if (type !== undefined && expected !== undefined && type !== expected) {
    throw fields.error("mediaType", `"${expected}" as its descriptor says`);
  }
  return type ?? expected;
}

/** Throws where a document has members of another kind of document (CVE-2021-41190). */
export function rejectMembers(fields: Fields, names: readonly string[], kind: string): void {
  for (const name of names) {
    if (!fields.has(name)) continue;
    throw new LayerfsError(
      "image-invalid",
      `Cannot read ${fields.document}: it has "${name}", which belongs to ${kind}; a document ` +
        "must not be readable as two types (CVE-2021-41190)",
      { document: fields.document, path: fields.pathOf(name) },
    );
  }
}
