/**
 * `layerfs pull`: an image into the store.
 *
 * @module
 */

import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { resolveImage } from "../source/image.ts";
import { ImageStore, parseStoreTag } from "../store/images.ts";
import type { Work } from "../store/layerfs.ts";
import { pullImage } from "../transfer/pull.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import type { PulledImage } from "../store/stored_image.ts";

export type { PulledImage } from "../store/stored_image.ts";

/** What to pull, and how. */
export interface PullIntoStoreOptions extends StoreOptions, Work {
  /** Reference of the image. */
  readonly image: string;
  /** NAME[:TAG] in the store; the image's own tag where it is absent. */
  readonly as?: string;
  /** Platform to choose; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Copies an image into the store, each blob verified.
 *
 * @throws {LayerfsError} `usage` where there is no name for it, `not-found`, or what is wrong with it
 */
export async function pull(options: PullIntoStoreOptions): Promise<PulledImage> {
  const { image: reference, as, engine, signal, onProgress } = options;
  const platform = options.platform === undefined
    ? hostPlatform()
    : parsePlatform(options.platform);
  if (as !== undefined) parseStoreTag(as);
  // A failure must not make a store. Where there is one, the image is read once.
  if (await Store.read(options) === null) await resolveImage(reference, platform);
  using store = await Store.open(options, "shared", options.signal);
  const named = as === undefined ? {} : { as };
  const wanted = { reference, platform, engine, signal, onProgress, ...named };
  return await pullImage(new ImageStore(store.path), wanted);
}
