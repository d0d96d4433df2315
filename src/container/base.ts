/**
 * What a container began as: its image, and the tree of that.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parsePlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import { type ResolvedImage, resolveImage } from "../source/image.ts";
import type { SourcePlaces } from "../source/open.ts";
import { ImageStore } from "../store/images.ts";
import { LayerFS } from "../store/layerfs.ts";
import type { Work } from "../store/work.ts";
import type { Store } from "../store/store.ts";
import type { Container } from "./containers.ts";
import { fullName } from "./images.ts";
import type { ImageRecord } from "./record.ts";

/** Where an image may be beside the store. */
export type BasePlaces = Pick<SourcePlaces, "registry">;

/**
 * The image that a container was made of, wherever it is now: under any name in the store, or where
 * it came from. Its config's digest must be the one on record.
 *
 * @throws {LayerfsError} `not-found`, saying what to do; `usage` for a container of no image
 */
export async function findBaseImage(
  store: string,
  container: Container,
  { registry }: BasePlaces,
): Promise<ResolvedImage> {
  const { image } = container.record;
  if (image === null) {
    throw new LayerfsError("usage", `Container "${container.id}" was made of no image`);
  }
  const platform = parsePlatform(image.platform);
  const access = registry === undefined ? {} : { registry };
  const named = (await new ImageStore(store).list()).images.filter(({ configDigest }) => {
    return configDigest === image.configDigest;
  });
  const others = named.map((other) => `${fullName(other)}@${other.digest}`);
  const pinned = byDigest(image);
  let reason = "it is another image now";
  for (const reference of [...others, image.reference, ...pinned]) {
    try {
      const found = await resolveImage(reference, platform, { store, ...access });
      if (found.configDigest === image.configDigest) return found;
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
      reason = error.message;
    }
  }
  const wanted = pinned[0] ?? image.reference;
  throw new LayerfsError(
    "not-found",
    `Cannot find the image of container "${container.id}", "${wanted}" with config ` +
      `${image.configDigest}: ${reason}; pull that image into the store, under any name`,
    { id: container.id, configDigest: image.configDigest },
  );
}

/** The image where it came from, whatever its tag means by now; none where it has no digest there. */
function byDigest({ reference, digest }: ImageRecord): string[] {
  if (digest === null) return [];
  const place = parseReference(reference);
  if (place.transport === "docker") return [`docker://${place.host}/${place.repository}@${digest}`];
  return place.transport === "oci" ? [`oci:${place.path}@${digest}`] : [];
}

/**
 * Shows `read` the tree that a container began as: that of its top layer, where the store keeps
 * layers; else that of its image, unpacked anew for this once; an empty one where it has no image.
 *
 * @throws {LayerfsError} `not-found` where the layers are gone, and the image as well
 */
export async function withBaseTree<T>(
  store: Store,
  container: Container,
  work: Work & BasePlaces,
  read: (root: string) => Promise<T>,
): Promise<T> {
  const layerfs = new LayerFS(store);
  const { top } = container.record;
  if (top !== null && store.driver.keepsLayers) {
    if (!(await store.driver.findLayers([top])).has(top)) {
      const image = await findBaseImage(store.path, container, work);
      await layerfs.provide(image.layers, work);
    }
    return await layerfs.withTree(top, work.signal, read);
  }
  const layers = top === null ? [] : (await findBaseImage(store.path, container, work)).layers;
  return await layerfs.withUnpacked(layers, work, read);
}
