/**
 * The images of a store.
 *
 *     oci-layout, index.json   the store's directory is an OCI image layout: `oci:STORE:NAME`
 *     blobs/sha256/…           manifests, configs and layers (see blobs.ts)
 *     index.lock               held while index.json is replaced
 *
 * A tag is an `org.opencontainers.image.ref.name` annotation in index.json, such as
 * "alpine:latest"; there is no second list of images that could differ from it.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import { type Digest, digestProblem } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import { normalizePlatform, type Platform } from "../oci/platform.ts";
import { parseImageName, storeTag } from "../oci/reference.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import { LayoutSource } from "../source/layout_source.ts";
import { listImages } from "../source/select_descriptors.ts";
import { findTagged, tagOfEntry } from "../source/store_source.ts";
import { storageError } from "../system_error.ts";
import { BlobStore } from "./blobs.ts";
import { encodeEntry, totalBytes } from "./image_documents.ts";
import { type ImageProblem, ImageReader, type ReadImage } from "./image_reader.ts";
import { type IndexEntry, StoreIndex } from "./store_index.ts";
import { replaceEntries, replaces } from "./tag_entries.ts";

export type { ImageProblem } from "./image_reader.ts";

/** An image of a store that has a tag. */
export interface StoredImage {
  /** Familiar name, such as "alpine"; a foreign tag that is no name stands here as it is. */
  readonly name: string;
  /** Such as "latest"; "" for a foreign tag that is no name. */
  readonly tag: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly configDigest: Digest;
  /** By RFC 3339, as the config has it; null where it does not say. */
  readonly created: string | null;
  /** That of the config, normalised. */
  readonly platform: Platform;
  /** Base first. */
  readonly layers: readonly StoredImageLayer[];
  /** Bytes of its blobs (manifest, config, layers), compressed as they are. */
  readonly bytes: number;
}

/** A layer of an image of a store. */
export interface StoredImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Of this layer on top of those below it. */
  readonly chainId: Digest;
}

/** All tagged images. */
export interface ImageList {
  /** In the order of index.json, those of one tag with several platforms one after another. */
  readonly images: readonly StoredImage[];
  /** What is wrong with them, or kept an image from being listed. */
  readonly problems: readonly ImageProblem[];
}

/** What index.json leads to, for gc. */
export interface ImageRoots {
  /** Digests of everything reachable, whether there is a blob of it or not. */
  readonly blobs: ReadonlySet<Digest>;
  /** ChainIDs of all layers of all images. */
  readonly chainIds: ReadonlySet<Digest>;
  readonly problems: readonly ImageProblem[];
  /**
   * Whether all indexes, manifests and configs could be read. Where not, what only an unreadable
   * one names is in neither set.
   */
  readonly complete: boolean;
}

/** The images of one store. */
export class ImageStore {
  /** Absolute path of the store. */
  readonly path: string;
  readonly blobs: BlobStore;
  readonly #index: StoreIndex;

  constructor(storePath: string) {
    this.path = storePath;
    this.blobs = new BlobStore(storePath);
    this.#index = new StoreIndex(storePath);
  }

  /**
   * Makes what an image layout has where that is missing: the store's first use.
   *
   * @throws {LayerfsError} `image-invalid` where something else is in its place
   */
  async initialize(signal?: AbortSignal): Promise<void> {
    try {
      Deno.mkdirSync(`${this.path}/staging`, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, `Cannot open the store "${this.path}"`);
    }
    this.blobs.initialize();
    await this.#index.initialize(signal);
  }

  /** Every image that has a tag. A damaged one is a problem, and does not hide the others. */
  async list(): Promise<ImageList> {
    const images: StoredImage[] = [];
    const problems: ImageProblem[] = [];
    const reader = this.#reader((problem) => problems.push(problem));
    for (const entry of this.#index.entries()) {
      if (entry.problem !== null) problems.push(unreadable(entry, entry.problem));
      const tag = entry.descriptor === null ? null : tagOfEntry(entry.descriptor);
      if (reader === null || entry.descriptor === null || tag === null) continue;
      for await (const descriptor of reader.walk(entry.descriptor, tag)) {
        if (!isManifest(descriptor.mediaType)) continue;
        const image = await reader.read(descriptor, tag);
        if (image === null) continue;
        await reader.checkPresence(image.manifest.layers, tag);
        const stored = describeImage(image, tag);
        if (stored !== null) images.push(stored);
      }
    }
    return { images, problems };
  }

  /**
   * The entries of index.json that `name` means: NAME[:TAG], or NAME@DIGEST, whose digest alone
   * counts. Several of one tag differ by platform; none is no error.
   *
   * @throws {LayerfsError} `usage` for what is no image name
   */
  find(name: string): readonly Descriptor[] {
    const wanted = parseImageName(name);
    const entries = this.#descriptors();
    if (wanted.digest === undefined) return findTagged(entries, storeTag(wanted));
    return entries.filter(({ digest }) => digest === wanted.digest).slice(0, 1);
  }

  /**
   * Gives an image a tag, which moves there if another image of the same platform had it.
   *
   * @param descriptor of a manifest or index whose blob is in the store
   * @returns the tag, in full
   * @throws {LayerfsError} `usage` for what is no NAME[:TAG], `image-invalid` where there is no such
   * blob
   */
  async tag(descriptor: Descriptor, name: string, signal?: AbortSignal): Promise<string> {
    const tag = parseStoreTag(name);
    this.#checkTaggable(descriptor, tag);
    await this.#index.update((entries) => {
      const isOld = (entry: IndexEntry) => replaces(descriptor, entry.descriptor, tag);
      return replaceEntries(entries, isOld, [encodeEntry(descriptor, tag)]);
    }, signal);
    return tag;
  }

  /**
   * Gives a tag to images of different platforms together; whatever had it loses it.
   *
   * @throws {LayerfsError} as {@linkcode tag}
   */
  async retag(
    descriptors: readonly Descriptor[],
    name: string,
    signal?: AbortSignal,
  ): Promise<string> {
    const tag = parseStoreTag(name);
    for (const descriptor of descriptors) this.#checkTaggable(descriptor, tag);
    await this.#index.update((entries) => {
      const isOld = ({ descriptor }: IndexEntry) =>
        descriptor !== null && tagOfEntry(descriptor) === tag;
      const added = descriptors.map((descriptor) => encodeEntry(descriptor, tag));
      return replaceEntries(entries, isOld, added);
    }, signal);
    return tag;
  }

  /**
   * Takes a tag away, for all platforms. The blobs stay until gc.
   *
   * @returns what had it
   * @throws {LayerfsError} `not-found`, listing what there is; `usage` for what is no NAME[:TAG]
   */
  async untag(name: string, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    const tag = parseStoreTag(name);
    const removed: Descriptor[] = [];
    await this.#index.update((entries) => {
      const kept = entries.filter(({ descriptor }) => {
        if (descriptor === null || tagOfEntry(descriptor) !== tag) return true;
        removed.push(descriptor);
        return false;
      });
      if (removed.length > 0) return kept.map(({ json }) => json);
      const present = listImages(entries.flatMap(({ descriptor }) => descriptor ?? []));
      throw new LayerfsError(
        "not-found",
        `Cannot remove image "${tag}": in the store "${this.path}" there is ${present}`,
        { reference: tag },
      );
    }, signal);
    return removed;
  }

  /**
   * Takes the entries of index.json away that name `digest`, whatever their tags: the way to be rid
   * of a damaged image without a tag, or with a foreign one that is no name.
   *
   * @returns how many there were
   */
  async removeEntries(digest: Digest, signal?: AbortSignal): Promise<number> {
    let removed = 0;
    await this.#index.update((entries) => {
      const kept = entries.filter(({ json }) => !isObject(json) || json.digest !== digest);
      removed = entries.length - kept.length;
      return kept.map(({ json }) => json);
    }, signal);
    return removed;
  }

  /**
   * All that index.json leads to, tagged or not.
   *
   * @throws {LayerfsError} `image-invalid` where index.json itself cannot be read
   */
  async roots(): Promise<ImageRoots> {
    const blobs = new Set<Digest>();
    const chainIds = new Set<Digest>();
    const problems: ImageProblem[] = [];
    const reader = this.#reader((problem) => problems.push(problem));
    let complete = true;
    for (const entry of this.#index.entries()) {
      if (entry.problem !== null) {
        const problem = unreadable(entry, entry.problem);
        problems.push(problem);
        if (problem.digest !== null) blobs.add(problem.digest);
        complete = false;
      }
      if (reader === null || entry.descriptor === null) continue;
      const tag = tagOfEntry(entry.descriptor);
      for await (const descriptor of reader.walk(entry.descriptor, tag)) {
        blobs.add(descriptor.digest);
        if (isIndex(descriptor.mediaType)) continue;
        if (!isManifest(descriptor.mediaType)) {
          await reader.checkPresence([descriptor], tag);
          continue;
        }
        const image = await reader.read(descriptor, tag);
        if (image === null) continue;
        await reader.checkPresence(image.manifest.layers, tag);
        for (const { digest } of [image.manifest.config, ...image.manifest.layers]) {
          blobs.add(digest);
        }
        for (const chainId of image.chainIds) chainIds.add(chainId);
      }
    }
    return { blobs, chainIds, problems, complete: complete && reader?.complete !== false };
  }

  #checkTaggable({ digest, size }: Descriptor, tag: string): void {
    if (this.blobs.has(digest, size)) return;
    throw new LayerfsError(
      "image-invalid",
      `Cannot tag ${digest} as "${tag}": the store has no such blob of ${size} bytes`,
      { digest, tag },
    );
  }

  #descriptors(): readonly Descriptor[] {
    return this.#index.entries().flatMap(({ descriptor }) => descriptor ?? []);
  }

  /** Null where the store has no images yet. */
  #reader(report: (problem: ImageProblem) => void): ImageReader | null {
    if (this.#index.entries().length === 0) return null;
    const files = new LayoutDirectory(this.path);
    return new ImageReader(new LayoutSource(files, { transport: "oci", path: this.path }), report);
  }
}

/**
 * Reads NAME[:TAG] as the tag of an image in a store.
 *
 * @throws {LayerfsError} `usage`
 */
export function parseStoreTag(name: string): string {
  const parsed = parseImageName(name);
  if (parsed.digest === undefined) return storeTag(parsed);
  throw new LayerfsError(
    "usage",
    `Cannot use "${name}" as a tag: it has a digest; give NAME[:TAG]`,
    { reference: name },
  );
}

/** Name and tag of a tag in full; a foreign one that is no name is all name. */
export function splitStoreTag(full: string): { readonly name: string; readonly tag: string } {
  const colon = full.lastIndexOf(":");
  const isName = colon > full.lastIndexOf("/") && !full.includes("@");
  return isName
    ? { name: full.slice(0, colon), tag: full.slice(colon + 1) }
    : { name: full, tag: "" };
}

function describeImage(image: ReadImage, full: string): StoredImage | null {
  const { descriptor, manifest, config, chainIds } = image;
  if (config === null) return null;
  const { os, architecture, variant, osVersion, osFeatures } = config;
  return {
    ...splitStoreTag(full),
    digest: descriptor.digest,
    descriptor,
    configDigest: manifest.config.digest,
    created: config.created ?? null,
    platform: normalizePlatform({ os, architecture, variant, osVersion, osFeatures }),
    // As many diffIDs and ChainIDs as layers: checked as the config was read.
    layers: manifest.layers.map((layer, i) => ({
      descriptor: layer,
      diffId: config.rootfs.diffIds[i] as Digest,
      chainId: chainIds[i] as Digest,
    })),
    bytes: totalBytes([descriptor, manifest.config, ...manifest.layers]),
  };
}

/** The problem of an entry that is no descriptor, with as much of a name as it has. */
function unreadable({ json }: IndexEntry, problem: LayerfsError): ImageProblem {
  const fields = isObject(json) ? json : {};
  const digest = digestProblem(fields.digest) === null ? fields.digest as Digest : null;
  const annotations = isObject(fields.annotations) ? fields.annotations : {};
  const tag = annotations[REF_NAME];
  return {
    tag: typeof tag === "string" ? tag : null,
    digest,
    code: problem.code,
    detail: problem.message,
  };
}
