/**
 * `layerfs pull`: an image into the store.
 *
 * @module
 */

import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { ImageStore } from "../store/images.ts";
import type { Work } from "../store/layerfs.ts";
import { type PulledImage, pullImage } from "../store/pull.ts";
import { Store, type StoreOptions } from "../store/store.ts";

export type { PulledImage } from "../store/pull.ts";

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
  using store = await Store.open(options, "shared", options.signal);
  const { image: reference, as, engine, signal, onProgress } = options;
  const platform = options.platform === undefined
    ? hostPlatform()
    : parsePlatform(options.platform);
  const named = as === undefined ? {} : { as };
  const wanted = { reference, platform, engine, signal, onProgress, ...named };
  return await pullImage(new ImageStore(store.path), wanted);
}
