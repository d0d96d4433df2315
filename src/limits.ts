/**
 * Every cap that layerfs puts on what an image may ask of it, each with its reason.
 *
 * @module
 */

/** Bytes of a manifest, index or config. The distribution spec asks for 4 MiB at least. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

/** Nesting of JSON arrays and objects. Real documents stay below 10; V8 recurses. */
export const MAX_JSON_DEPTH = 64;

/** Indexes within indexes: none known in practice goes beyond 2. */
export const MAX_INDEX_DEPTH = 8;

/**
 * Entries of all the indexes of one image together. A multi-platform image has some 20, a layout
 * with years of tags some thousands.
 */
export const MAX_INDEX_ENTRIES = 100_000;

/**
 * Bytes that the indexes and manifests of one copy may have together, as they are held in memory.
 * An index of 100 images with 30 layers each has about 1 MiB.
 */
export const MAX_GRAPH_BYTES = 64 * 1024 * 1024;

/** Members of an oci-archive or docker-archive: a few for each layer. */
export const MAX_ARCHIVE_MEMBERS = 100_000;

/** Layers of one image. Docker stops at 127; more is asked for (moby/buildkit#3067). */
export const MAX_LAYERS = 4096;

/** Bytes of a path in a layer: Linux PATH_MAX, its final NUL included. */
export const MAX_PATH_BYTES = 4096;

/**
 * Characters that the paths of the directories that layers make in one tree may have together, as
 * they are held in memory. A million directories have some 60 million; one path of 2,000 components,
 * which a few kilobytes of tar hold, makes 4 million.
 */
export const MAX_DIRECTORY_CHARACTERS = 256 * 1024 * 1024;

/** Bytes of one extended (pax) header or GNU long name: xattrs reach 64 KiB each on Linux. */
export const MAX_PAX_BYTES = 1024 * 1024;

/**
 * Uncompressed bytes a layer may have for each compressed one, once it is larger than
 * {@linkcode EXPANSION_GRACE_BYTES}. DEFLATE ends at 1032, real layers at about 20; zstd has no
 * end, which a bomb uses.
 */
export const MAX_EXPANSION_RATIO = 1100;

/** Bytes a layer may have uncompressed before its expansion ratio is looked at: zeros compress well. */
export const EXPANSION_GRACE_BYTES = 4 * 1024 ** 3;

/** Characters of a tag (distribution spec). */
export const MAX_TAG_LENGTH = 128;

/** Bytes of a rootfs's /etc/passwd or /etc/group that are read: real ones stay below 1 MiB. */
export const MAX_ACCOUNTS_BYTES = 8 * 1024 * 1024;

/** Redirects that one request to a registry follows. Real ones need one or two. */
export const MAX_REDIRECTS = 10;

/** Bytes of a registry's error that are read; what is wanted of it is a line. */
export const MAX_ERROR_BYTES = 64 * 1024;

/** Bytes of a token server's answer. Tokens of some clouds have several kilobytes. */
export const MAX_TOKEN_BYTES = 1024 * 1024;

/** Pages of one listing of a registry, and entries of all its pages together. */
export const MAX_PAGES = 1000;
/** See {@linkcode MAX_PAGES}. */
export const MAX_LISTED = 100_000;

/** Bytes of an auth.json, registries.conf or certificate: real ones stay below 100 KiB. */
export const MAX_SETTINGS_BYTES = 4 * 1024 * 1024;

/**
 * Bytes of one chunk of an upload, which is held in memory so that it can be sent again; and the most
 * that a registry may ask for (OCI-Chunk-Min-Length; AWS asks for 5 MiB).
 */
export const UPLOAD_CHUNK_BYTES = 16 * 1024 * 1024;
/** See {@linkcode UPLOAD_CHUNK_BYTES}. */
export const MAX_UPLOAD_CHUNK_BYTES = 128 * 1024 * 1024;
