/**
 * Images of a `docker save` archive: a manifest.json that names a config and layers, by member
 * names and not by digests. Docker 1.10 and later, podman and skopeo write it.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { MAX_LAYERS } from "../limits.ts";
import { checkLayerCount, parseConfig } from "../oci/config.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { Fields, invalid } from "../oci/fields.ts";
import { type DockerArchiveReference, formatImageName, parseImageName } from "../oci/reference.ts";
import { parseJson, quote } from "../oci/strict_json.ts";
import type { Archive } from "./archive.ts";
import { findManifest } from "./archive_manifest.ts";
import { readDocument } from "./document.ts";
import type { DockerImage, DockerLayer, DockerManifest, DockerSource } from "./source.ts";

const MANIFEST = "manifest.json";
/** Names that say the SHA-256 of what they name: an image ID, and Docker 25's blobs. */
const CONFIG_NAME = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/;
const BLOB_NAME = /^blobs\/sha256\/([0-9a-f]{64})$/;
/** Tags that a message lists before it stops. */
const LISTED = 20;

/** One entry of manifest.json. */
interface ManifestEntry {
  readonly config: string;
  readonly tags: readonly string[];
  /** Base first. */
  readonly layers: readonly string[];
}

/** The images of a `docker save` archive. */
export class DockerArchiveSource implements DockerSource {
  /** Which of the two kinds of source this is. */
  readonly kind = "docker-archive";
  /** As messages name it. */
  readonly reference: string;
  readonly #archive: Archive;
  readonly #wanted: DockerArchiveReference;

  /** @throws {LayerfsError} `image-invalid` or `unsupported` for an archive of another kind */
  constructor(archive: Archive, wanted: DockerArchiveReference) {
    this.#archive = archive;
    this.#wanted = wanted;
    const { path, name } = wanted;
    this.reference = `docker-archive:${path}${
      name === undefined ? "" : `:${formatImageName(name)}`
    }`;
    if (archive.has(MANIFEST)) return;
    const action = `Cannot open docker-archive "${path}"`;
    if (archive.has("oci-layout")) {
      throw new LayerfsError("usage", `${action}: it is an oci-archive; use oci-archive:${path}`);
    }
    throw new LayerfsError(
      archive.has("repositories") ? "unsupported" : "image-invalid",
      archive.has("repositories")
        ? `${action}: it is of a format before Docker 1.10; save it again with a current docker`
        : `${action}: it has no "${MANIFEST}", so it is no \`docker save\` archive`,
      { path },
    );
  }

  image(): Promise<DockerImage> {
    return Promise.try(() => this.#read(this.#choose()));
  }

  manifest(): Promise<DockerManifest | null> {
    return Promise.try(() => {
      const { config, layers } = this.#choose();
      return findManifest(this.#archive, [config, ...layers].map(memberName));
    });
  }

  /** Nothing is held open between calls. */
  close(): void {}

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  #read(entry: ManifestEntry): DockerImage {
    const bytes = readDocument(this.#locate(entry.config), entry.config);
    const configDigest = digestBytes(bytes, "sha256");
    const named = CONFIG_NAME.exec(entry.config);
    const claimed = named?.[1] ?? named?.[2];
    if (claimed !== undefined && configDigest !== `sha256:${claimed}`) {
      throw new LayerfsError(
        "digest-mismatch",
        `Cannot verify config "${entry.config}": digest is "${configDigest}"`,
        { digest: `sha256:${claimed}`, found: configDigest },
      );
    }
    const config = parseConfig(bytes);
    checkLayerCount(config, entry.layers.length);
    const layers = entry.layers.map((name) => this.#layer(name));
    return { configDigest, config, configBytes: bytes, tags: entry.tags, layers };
  }

  #layer(name: string): DockerLayer {
    const hex = BLOB_NAME.exec(name)?.[1];
    const digest: Digest | null = hex === undefined ? null : parseDigest(`sha256:${hex}`);
    return { location: this.#locate(name), digest };
  }

  #locate(name: string): BlobLocation {
    const location = this.#archive.locate(memberName(name));
    if (location !== null) return location;
    const { path } = this.#archive;
    throw new LayerfsError(
      "image-invalid",
      `Cannot find "${name}" in "${path}": the archive has no such member`,
      { path, member: name },
    );
  }

  /** The entry with the tag of the reference, or the only one. */
  #choose(): ManifestEntry {
    const { name, path } = this.#wanted;
    const entries = this.#entries();
    if (name === undefined) {
      const [only] = entries;
      if (only !== undefined && entries.length === 1) return only;
      throw new LayerfsError(
        only === undefined ? "not-found" : "conflict",
        `Cannot choose an image in "${path}": there is ${listTags(entries)}` +
          (only === undefined ? "" : `; name one as docker-archive:${path}:REPO:TAG`),
        { path },
      );
    }
    const wanted = formatImageName(name);
    const chosen = entries.find(({ tags }) => tags.some((tag) => canonical(tag) === wanted));
    if (chosen !== undefined) return chosen;
    throw new LayerfsError(
      "not-found",
      `Cannot find ${quote(wanted)} in "${path}": there is ${listTags(entries)}`,
      { path },
    );
  }

  #entries(): ManifestEntry[] {
    const json = parseJson(readDocument(this.#locate(MANIFEST), MANIFEST), MANIFEST);
    if (!Array.isArray(json)) throw invalid(MANIFEST, "", json, "an array");
    return json.map((value, i) => {
      const fields = new Fields(MANIFEST, `[${i}]`, value);
      const layers = fields.strings("Layers");
      if (layers.length > MAX_LAYERS) {
        throw new LayerfsError(
          "unsupported",
          `Cannot read ${MANIFEST}: ${fields.pathOf("Layers")} has ${layers.length} entries; ` +
            `layerfs takes ${MAX_LAYERS}`,
        );
      }
      return { config: fields.string("Config"), tags: fields.strings("RepoTags"), layers };
    });
  }
}

/** Names of members are without "./", which some writers put before them. */
function memberName(name: string): string {
  return name.replace(/^(?:\.?\/)+/, "");
}

/** The full name of a RepoTags entry; itself where it is no image name, which nothing matches. */
function canonical(tag: string): string {
  try {
    return formatImageName(parseImageName(tag));
  } catch (error) {
    if (error instanceof LayerfsError) return tag;
    throw error;
  }
}

function listTags(entries: readonly ManifestEntry[]): string {
  const names = entries.flatMap(({ tags, config }) =>
    tags.length === 0 ? [`an image without a tag (${quote(config)})`] : tags.map(quote)
  );
  if (names.length === 0) return "no image";
  const listed = names.slice(0, LISTED).join(", ");
  return names.length > LISTED ? `${listed} and ${names.length - LISTED} more` : listed;
}
