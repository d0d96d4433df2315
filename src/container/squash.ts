/**
 * `layerfs squash`: one layer of many.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { resolveImage } from "../source/image.ts";
import type { SourcePlaces } from "../source/open.ts";
import { ImageStore } from "../store/images.ts";
import { parseNewStoreTag } from "../store/new_store_tag.ts";
import { LayerFS } from "../store/layerfs.ts";
import type { Work } from "../store/work.ts";
import { type SquashedImage, squashImage } from "../store/squash.ts";
import { Store, type StoreOptions } from "../store/store.ts";

export type { SquashedImage } from "../store/squash.ts";

/** What to squash, and how. */
export interface SquashImageOptions extends StoreOptions, Work, Pick<SourcePlaces, "registry"> {
  /** Reference of the image. */
  readonly image: string;
  /** NAME[:TAG] of the new one. */
  readonly name: string;
  /** Platform to choose; the host's where it is absent. */
  readonly platform?: string;
  /** Seconds since 1970 that the new image says it was made at; the image's own where absent. */
  readonly epoch?: number;
}

/**
 * Merges all layers of an image into one, and puts that, with the image made of it, into the store.
 *
 * @throws {LayerfsError} `usage` for what is no NAME[:TAG], `not-found`, or what is wrong with the image
 */
export async function squash(options: SquashImageOptions): Promise<SquashedImage> {
  const platform = options.platform === undefined
    ? hostPlatform()
    : parsePlatform(options.platform);
  // Before the store is opened: a failure must not make one.
  parseNewStoreTag(options.name);
  const image = await resolveImage(options.image, platform, options);
  using store = await Store.open(options, "shared", options.signal);
  const layerfs = new LayerFS(store);
  const { name, engine, signal, epoch } = options;
  const merge = (root: string) =>
    squashImage(new ImageStore(store.path), {
      image,
      root,
      name,
      engine,
      signal,
      ...(epoch === undefined ? {} : { epoch }),
      beforeTag: async (layer) => {
        if (store.driver.keepsLayers) await layerfs.provide([layer], options);
      },
    });
  if (!store.driver.keepsLayers) {
    return await layerfs.withUnpacked(image.layers, options, merge);
  }
  if (image.chainId === null) {
    throw new LayerfsError("unsupported", `Cannot squash "${options.image}": it has no layers`);
  }
  await layerfs.provide(image.layers, options);
  return await layerfs.withTree(image.chainId, signal, merge);
}
