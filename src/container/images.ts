/**
 * `layerfs images` and `layerfs rmi`: the images of a store.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { isIndex } from "../oci/media_type.ts";
import { formatPlatform } from "../oci/platform.ts";
import { tagOfEntry } from "../source/store_source.ts";
import { ImageStore, parseStoreTag, type StoredImage } from "../store/images.ts";
import { parseNewStoreTag } from "../store/new_store_tag.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { type IndexEntry, StoreIndex } from "../store/store_index.ts";
import { allContainers } from "./containers.ts";
import { readDigest } from "./subject.ts";

/** An image as `images --json` prints it. */
export interface ImageRow {
  /** Such as "alpine". */
  readonly name: string;
  /** Such as "latest". */
  readonly tag: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the configuration. */
  readonly configDigest: Digest;
  /** RFC 3339; null where the configuration does not say. */
  readonly created: string | null;
  /** Such as `linux/arm64/v8`. */
  readonly platform: string;
  /** How many. */
  readonly layers: number;
  /** Bytes of its blobs, compressed as they are. */
  readonly bytes: number;
}

/** The name of an image of a store in full, such as "alpine:latest". */
export function fullName({ name, tag }: Pick<StoredImage, "name" | "tag">): string {
  return tag === "" ? name : `${name}:${tag}`;
}

/** All images that have a name. */
export async function listImages(
  options: StoreOptions,
  onWarning: (warning: string) => void = () => {},
): Promise<ImageRow[]> {
  const store = await Store.read(options);
  if (store === null) return [];
  const { images, problems } = await new ImageStore(store.path).list();
  for (const { detail } of problems) onWarning(detail);
  return images.map(({ name, tag, digest, configDigest, created, platform, layers, bytes }) => ({
    name,
    tag,
    digest,
    configDigest,
    created,
    platform: formatPlatform(platform),
    layers: layers.length,
    bytes,
  }));
}

/**
 * Gives an image of the store another name, for all platforms that it has under the first. What had
 * that name loses it.
 *
 * @param image NAME[:TAG] or NAME@DIGEST
 * @param name NAME[:TAG]
 * @returns the new name in full
 * @throws {LayerfsError} `usage`, `not-found`
 */
export async function tagImage(
  options: StoreOptions & { readonly signal: AbortSignal },
  image: string,
  name: string,
): Promise<string> {
  parseNewStoreTag(name);
  const found = await Store.read(options) === null ? [] : new ImageStore(options.store).find(image);
  if (found.length === 0) {
    throw new LayerfsError(
      "not-found",
      `Cannot tag image "${image}": the store "${options.store}" has none of that name; see ` +
        "layerfs images",
      { reference: image },
    );
  }
  using store = await Store.open(options, "shared", options.signal);
  const images = new ImageStore(store.path);
  return await images.retag(images.find(image), name, options.signal);
}

/** Which images to remove. */
export interface RemoveImagesOptions extends StoreOptions {
  /** Also those that containers were made of. */
  readonly force: boolean;
  /** Ends the wait for others who work in the store. */
  readonly signal: AbortSignal;
}

/** What is to be removed: a tag in full, or the digest of entries. */
type Target = { readonly tag: string } | { readonly digest: Digest };

/**
 * Takes the names of images away. Their layers and blobs stay until gc.
 *
 * @param names NAME[:TAG], or the digest of a manifest or index that all its names are taken from
 * @returns the names in full
 * @throws {LayerfsError} `usage`; `not-found`; `conflict` where a container was made of an image
 * that would lose its last name: all before anything is removed
 */
export async function removeImages(
  options: RemoveImagesOptions,
  names: readonly string[],
): Promise<string[]> {
  const wanted = new Map(names.map((name): [string, Target] => {
    const digest = readDigest(name);
    if (digest !== null) return [digest, { digest }];
    const tag = parseStoreTag(name);
    return [tag, { tag }];
  }));
  const targets = [...wanted.values()];
  if (await Store.read(options) === null) checkPresent(options.store, [], targets);
  using store = await Store.open(options, "shared", options.signal);
  const entries = new StoreIndex(store.path).entries();
  checkPresent(store.path, entries, targets);
  const images = new ImageStore(store.path);
  if (!options.force) await checkUnused(store, images, entries.filter(isAnyOf(targets)));
  for (const target of targets) {
    if ("tag" in target) await images.untag(target.tag, options.signal);
    else await images.removeEntries(target.digest, options.signal);
  }
  return [...wanted.keys()];
}

/** Refuses what is not there. */
function checkPresent(
  store: string,
  entries: readonly IndexEntry[],
  targets: readonly Target[],
): void {
  const absent = targets.find((target) => !entries.some(isAnyOf([target])));
  if (absent === undefined) return;
  const [name, what] = "tag" in absent ? [absent.tag, "name"] : [absent.digest, "digest"];
  throw new LayerfsError(
    "not-found",
    `Cannot remove image "${name}": the store "${store}" has none of that ${what}; see layerfs ` +
      "images",
    { reference: name },
  );
}

/** Whether an entry of index.json goes with any of `targets`. A damaged one has its digest only. */
function isAnyOf(targets: readonly Target[]): (entry: IndexEntry) => boolean {
  return ({ json, descriptor }) =>
    targets.some((target) =>
      "tag" in target
        ? descriptor !== null && tagOfEntry(descriptor) === target.tag
        : isObject(json) && json.digest === target.digest
    );
}

/** Refuses to take the last name of an image that a container was made of. */
async function checkUnused(
  store: Store,
  images: ImageStore,
  going: readonly IndexEntry[],
): Promise<void> {
  // The images of an index are listed by their own digests: its tag tells that they go.
  const goes = (image: StoredImage) =>
    going.some(({ descriptor }) =>
      descriptor !== null && tagOfEntry(descriptor) === fullName(image) &&
      (isIndex(descriptor.mediaType) || descriptor.digest === image.digest)
    );
  const { images: listed } = await images.list();
  const staying = new Set(
    listed.filter((image) => !goes(image)).map((image) => image.configDigest),
  );
  const byConfig = new Map(
    listed.filter((image) => !staying.has(image.configDigest)).map((
      image,
    ): [Digest, StoredImage] => [image.configDigest, image]),
  );
  for (const { id, record } of allContainers(store.path, () => {})) {
    const image = record.image && byConfig.get(record.image.configDigest);
    if (!image) continue;
    throw new LayerfsError(
      "conflict",
      `Cannot remove image "${fullName(image)}": container "${id}" was made of it; remove that ` +
        "first, or use --force, which leaves the container whole",
      { id, image: fullName(image) },
    );
  }
}
