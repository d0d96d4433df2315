/**
 * Media types of the OCI image-spec and of Docker's schema 2 (image-spec media-types.md). Documents
 * of both families may stand side by side in one layout.
 *
 * @module
 */

/** `application/vnd.oci.image.manifest.v1+json` */
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** `application/vnd.oci.image.index.v1+json` */
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
/** `application/vnd.oci.image.config.v1+json` */
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
/** The type of `{}`, for a descriptor that points at nothing (manifest.md). */
export const OCI_EMPTY = "application/vnd.oci.empty.v1+json";
/** Docker's image manifest, version 2, schema 2. */
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
/** Docker's manifest list. */
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
/** Docker's image config. */
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";

/** What a layer's media type says about its bytes. */
export interface LayerMediaType {
  /** How the tar is compressed. */
  readonly compression: "none" | "gzip" | "zstd";
  /** Who defines the type. */
  readonly family: "oci" | "docker";
  /** Not to be uploaded to other registries; deprecated. Docker calls it "foreign". */
  readonly nondistributable: boolean;
}

const LAYER_TYPES: ReadonlyMap<string, LayerMediaType> = new Map(
  (["none", "gzip", "zstd"] as const).flatMap((compression) => {
    const oci = compression === "none" ? "" : `+${compression}`;
    const docker = compression === "none" ? "" : `.${compression}`;
    const type = (
      name: string,
      family: "oci" | "docker",
      nondistributable: boolean,
    ): [string, LayerMediaType] => [name, { compression, family, nondistributable }];
    return [
      type(`application/vnd.oci.image.layer.v1.tar${oci}`, "oci", false),
      type(`application/vnd.oci.image.layer.nondistributable.v1.tar${oci}`, "oci", true),
      type(`application/vnd.docker.image.rootfs.diff.tar${docker}`, "docker", false),
      type(`application/vnd.docker.image.rootfs.foreign.diff.tar${docker}`, "docker", true),
    ];
  }),
);

/** What a layer of this type is; undefined where the type is not one of a tar layer. */
export function parseLayerMediaType(mediaType: string): LayerMediaType | undefined {
  return LAYER_TYPES.get(mediaType);
}

/** Whether the type is that of an image manifest. */
export function isManifest(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

/** Whether the type is that of an image index or a manifest list. */
export function isIndex(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_INDEX;
}

/** Whether the type is that of an image config. Content of other types must not be parsed as one. */
export function isConfig(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

// RFC 6838, section 4.2: type and subtype of 127 characters at most, no parameters.
const NAME = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}";
const GRAMMAR = new RegExp(`^${NAME}/${NAME}$`);

/** What `value` should be if it is no media type by RFC 6838; null if it is one. */
export function mediaTypeProblem(value: unknown): string | null {
  return typeof value === "string" && GRAMMAR.test(value)
    ? null
    : 'a media type, "type/subtype" (RFC 6838)';
}
