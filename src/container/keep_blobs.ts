/**
 * `--keep-blobs`: an image of a registry goes into the store, and containers are made of it there.
 *
 * @module
 */

import { parseReference, storeTag } from "../oci/reference.ts";
import { type ResolvedImage, resolveImage } from "../source/image.ts";
import type { SourcePlaces } from "../source/open.ts";
import { ImageStore } from "../store/images.ts";
import type { Store } from "../store/store.ts";
import { pullImage } from "../transfer/pull.ts";
import type { TransferWork } from "../transfer/sink.ts";

/**
 * Pulls an image of a registry into the store under the name that it was asked for by. Any other one
 * is in files already, and stays where it is.
 *
 * @returns the same image, its layers in the store
 * @throws {LayerfsError} as `pullImage`
 */
export async function keepBlobs(
  image: ResolvedImage,
  store: Store,
  { registry, ...work }: TransferWork & Pick<SourcePlaces, "registry">,
): Promise<ResolvedImage> {
  const { platform, digest } = image;
  const reference = parseReference(image.reference);
  if (digest === null || reference.transport !== "docker") return image;
  const { host, repository } = reference;
  // By its digest: the tag may mean another image by now.
  await pullImage(new ImageStore(store.path), {
    reference: `docker://${host}/${repository}@${digest}`,
    as: storeTag(reference),
    platform,
    registry,
    ...work,
  });
  const name = `${host}/${repository}@${digest}`;
  const kept = await resolveImage(name, platform, { store: store.path, pull: "never" });
  return { ...kept, reference: image.reference };
}
