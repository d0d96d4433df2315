/**
 * `layerfs images` and `layerfs rmi`: the images of a store.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { formatPlatform } from "../oci/platform.ts";
import { ImageStore, parseStoreTag, type StoredImage } from "../store/images.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers } from "./containers.ts";

/** A digest, where a name could stand too. */
const DIGEST = /^sha(?:256|512):[0-9a-f]+$/;

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
 * @param names NAME[:TAG], or the digest of a manifest or index that all its names are taken from
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
    if (DIGEST.test(name)) await removeEntries(images, parseDigest(name), options.signal);
    else await images.untag(name, options.signal);
    removed.push(DIGEST.test(name) ? name : parseStoreTag(name));
  }
  return removed;
}

/** All entries with this digest: the way to be rid of a damaged image that has no name. */
async function removeEntries(
  images: ImageStore,
  digest: Digest,
  signal: AbortSignal,
): Promise<void> {
  if (await images.removeEntries(digest, signal) > 0) return;
  throw new LayerfsError(
    "not-found",
    `Cannot remove image "${digest}": the store "${images.path}" has none of that digest`,
    { digest },
  );
}

async function checkUnused(
  store: Store,
  images: ImageStore,
  names: readonly string[],
): Promise<void> {
  const wanted = new Set(names.map((name) => DIGEST.test(name) ? name : parseStoreTag(name)));
  const listed = (await images.list()).images.filter((image) =>
    wanted.has(fullName(image)) || wanted.has(image.digest)
  );
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
