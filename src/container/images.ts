/**
 * `layerfs images` and `layerfs rmi`: the images of a store.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { formatPlatform } from "../oci/platform.ts";
import { ImageStore, parseStoreTag, type StoredImage } from "../store/images.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers } from "./containers.ts";

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

/** Which images to remove. */
export interface RemoveImagesOptions extends StoreOptions {
  /** Also those that containers were made of. */
  readonly force: boolean;
  /** Ends the wait for others who work in the store. */
  readonly signal: AbortSignal;
}

/**
 * Takes the names of images away. Their layers and blobs stay until gc.
 *
 * @returns the names in full
 * @throws {LayerfsError} `not-found`; `conflict` where a container was made of one, before anything
 * is removed
 */
export async function removeImages(
  options: RemoveImagesOptions,
  names: readonly string[],
): Promise<string[]> {
  using store = await Store.open(options, "shared", options.signal);
  const images = new ImageStore(store.path);
  if (!options.force) await checkUnused(store, images, names);
  const removed: string[] = [];
  for (const name of names) {
    await images.untag(name, options.signal);
    removed.push(parseStoreTag(name));
  }
  return removed;
}

async function checkUnused(
  store: Store,
  images: ImageStore,
  names: readonly string[],
): Promise<void> {
  const wanted = new Set(names.map(parseStoreTag));
  const listed = (await images.list()).images.filter((image) => wanted.has(fullName(image)));
  const byConfig = new Map(listed.map((image): [Digest, StoredImage] => [
    image.configDigest,
    image,
  ]));
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
