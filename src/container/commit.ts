/**
 * `layerfs commit`: an image of a container.
 *
 * @module
 */

import { hostPlatform } from "../oci/platform.ts";
import {
  type BaseImage,
  commitImage,
  type CommitOptions,
  type CommittedImage,
} from "../store/commit.ts";
import { ImageStore } from "../store/images.ts";
import { parseNewStoreTag } from "../store/new_store_tag.ts";
import type { Work } from "../store/work.ts";
import { addLayerBlobs } from "../transfer/layer_blobs.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { type BasePlaces, findBaseImage } from "./base.ts";
import { type Container, getContainer, getSettled } from "./containers.ts";
import { withChanges } from "./diff.ts";

export type { CommittedImage } from "../store/commit.ts";

/** What to make an image of, and how. */
export interface CommitContainerOptions extends StoreOptions, Work, BasePlaces, CommitOptions {
  /** The container. */
  readonly id: string;
}

/**
 * Makes an image of the layers that a container began with and one with what it has changed, and
 * puts it into the store. A container made of it has the same tree, entry for entry.
 *
 * A container may run meanwhile: the image is the state at the beginning, or there is an error.
 *
 * @throws {LayerfsError} `not-found` for no such container, or where its image is not to be had;
 * `usage` for what is no NAME[:TAG]; `conflict` where a file was written to while it was read;
 * `unsupported` for a name that no layer can have
 */
export async function commitContainer(options: CommitContainerOptions): Promise<CommittedImage> {
  parseNewStoreTag(options.name);
  getContainer(options.store, options.id); // before the store is opened: a failure must not make one
  using store = await Store.open(options, "shared", options.signal);
  const container = getSettled(store.path, options.id);
  const images = new ImageStore(store.path);
  const base = await findBase(store, images, container, options);
  return await withChanges(
    store,
    container,
    options,
    (changes) => commitImage(images, base, changes, options),
  );
}

/** The image that the new one is made on top of, with the blobs of its layers in the store. */
async function findBase(
  store: Store,
  images: ImageStore,
  container: Container,
  { engine, signal, onProgress, ...places }: Work & BasePlaces,
): Promise<BaseImage> {
  if (container.record.image === null) {
    return { configBytes: null, platform: hostPlatform(), layers: [], diffIds: [] };
  }
  const image = await findBaseImage(store.path, container, places);
  await using staging = store.stage();
  await images.initialize(signal);
  const how = { staging: staging.path, engine, signal, onProgress };
  const { layers, ...counts } = await addLayerBlobs(images, image, how);
  const { configBytes, platform, config } = image;
  return { configBytes, platform, layers, diffIds: config.rootfs.diffIds, counts };
}
