/**
 * The points that `layerfs validate` looks at, in the order of its rows: what image-spec (of
 * May 2026; "†" is newer than v1.1.1) asks of an image, or of those who read one.
 *
 * @module
 */

/** How binding a rule is (RFC 2119). */
export type Level = "MUST" | "SHOULD";

/** One rule. */
export interface Rule {
  /** 1 to 62. */
  readonly id: number;
  /** How binding it is. */
  readonly level: Level;
  /** What it asks. */
  readonly rule: string;
}

const MUST = "MUST";
const SHOULD = "SHOULD";

const LAYOUT: readonly (readonly [Level, string])[] = [
  [MUST, "oci-layout exists and is a JSON object"],
  [MUST, "oci-layout has imageLayoutVersion 1.0.0"],
  [MUST, "the directory blobs exists"],
  [MUST, "index.json exists and is an image index"],
  [MUST, "the content of each blob matches its name"],
  [MUST, "names below blobs match the grammar of digests"],
  [MUST, "blobs that nothing refers to are allowed"],
  [SHOULD, "a missing blob is to be had elsewhere"],
  [SHOULD, "additional files are tolerated"],
  [MUST, "an unknown mediaType in index.json is no error"],
  [SHOULD, "org.opencontainers.image.ref.name stands in index.json only, and is well-formed"],
];

const DESCRIPTOR: readonly (readonly [Level, string])[] = [
  [MUST, "mediaType follows RFC 6838"],
  [MUST, "digest follows the grammar"],
  [MUST, "a sha256 digest has 64 lowercase hex digits"],
  [MUST, "a sha512 digest has 128 lowercase hex digits"],
  [MUST, "a blake3 digest has 64 lowercase hex digits †"],
  [SHOULD, "digests of unknown algorithms pass where nothing is read by them"],
  [MUST, "sha256 digests are verified"],
  [MUST, "size is present, and that of the content"],
  [MUST, "size is not negative †"],
  [SHOULD, "size is compared before content is hashed"],
  [SHOULD, "content matches its digest"],
  [MUST, "urls follow RFC 3986"],
  [MUST, "data is base64 with padding"],
  [MUST, "data is identical to the content"],
  [MUST, "artifactType follows RFC 6838"],
  [SHOULD, "descriptors of manifests name a platform"],
];

const MANIFEST: readonly (readonly [Level, string])[] = [
  [MUST, "schemaVersion is 2"],
  [MUST, "mediaType, if present, is that of a manifest"],
  [MUST, "config is present and a descriptor"],
  [MUST, "a config of unknown type is not parsed"],
  [MUST, "layers of unknown type are no error to who only copies"],
  [SHOULD, "there is one layer at least"],
  [MUST, "layers stand in stack order, the base first"],
  [MUST, "layers are tar, plain, gzip or (SHOULD) zstd, as their mediaType says"],
  [MUST, "artifactType is set where the config is empty"],
  [MUST, "subject is a descriptor"],
];

const INDEX: readonly (readonly [Level, string])[] = [
  [MUST, "schemaVersion is 2"],
  [MUST, "manifests is present, if only empty"],
  [SHOULD, "nested indexes are read, without cycles and not too deep"],
  [MUST, "platform has architecture and os"],
  [MUST, "mediaType, if present, is that of an index"],
];

const CONFIG: readonly (readonly [Level, string])[] = [
  [MUST, "architecture and os are present"],
  [MUST, 'rootfs.type is "layers"'],
  [MUST, "rootfs.diff_ids are the digests of the uncompressed layers"],
  [MUST, "diff_ids, layers and history entries that are not empty_layer are as many"],
  [MUST, "dates follow RFC 3339"],
  [MUST, "additional members are no error"],
  [MUST, "members have the type of the specification; null counts as absent"],
];

const LAYER: readonly (readonly [Level, string])[] = [
  [MUST, "layers are tar archives without duplicate paths"],
  [SHOULD, 'no entry is called ".wh." alone, or hides "." or ".." †'],
  [MUST, "whiteouts are hidden: they are empty files that only hide"],
  [MUST, "whiteouts affect lower layers only"],
  [MUST, "opaque whiteouts are accepted, in any order"],
  [MUST, "a directory over a directory replaces its attributes, any other change its path"],
  [MUST, "mtime, uid, gid, mode, xattrs and links are kept"],
  [SHOULD, "no file is sparse (such files are read all the same)"],
];

const JSON_POINTS: readonly (readonly [Level, string])[] = [
  [MUST, "annotations are a map of strings to strings with unique keys"],
  [MUST, "unknown annotation keys are no error"],
  [MUST, "JSON is UTF-8 without duplicate names"],
  [SHOULD, "content is of the type that its descriptor says"],
  [MUST, "Docker-Content-Digest is verified where it is used"],
];

/** All points; `RULES[i].id` is `i + 1`. */
export const RULES: readonly Rule[] = [
  ...LAYOUT,
  ...DESCRIPTOR,
  ...MANIFEST,
  ...INDEX,
  ...CONFIG,
  ...LAYER,
  ...JSON_POINTS,
].map(([level, rule], i) => ({ id: i + 1, level, rule }));
