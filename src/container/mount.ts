/**
 * `layerfs mount` and `layerfs unmount`: a container's root filesystem, or an image, read-only.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { SourcePlaces } from "../source/open.ts";
import { LayerFS } from "../store/layerfs.ts";
import type { Work } from "../store/work.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { getSettled, rootfsOf } from "./containers.ts";
import { getLayer } from "./layers.ts";
import { findSubject } from "./subject.ts";

/** What to mount, and how. */
export interface MountOptions extends StoreOptions, Work, Pick<SourcePlaces, "registry"> {
  /** Platform of an image; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Mounts a container's root filesystem, or, read-only, the tree of an image or of a layer on those
 * below it; an image's layers are applied first where the store has them not yet. That it is
 * mounted already is no error.
 *
 * @param subject a container's id, a reference of an image, or the ChainID of a layer
 * @returns the absolute path of the tree
 * @throws {LayerfsError} `not-found`, `environment-missing` for an image where the driver keeps no
 * layers, or what is wrong with the image
 */
export async function mount(options: MountOptions, subject: string): Promise<string> {
  // Before the store is opened: a failure must not make one.
  const found = await findSubject(options, subject);
  if (found.kind === "layer") await getLayer(options, found.chainId);
  using store = await Store.open(options, "shared", options.signal);
  const layerfs = new LayerFS(store);
  if (found.kind === "container") {
    const { id } = found.container;
    await layerfs.mount(() => rootfsOf(getSettled(store.path, id)));
    return rootfsOf(found.container).rootfs;
  }
  if (found.kind === "layer") return await layerfs.mountView(found.chainId, options.signal);
  const { image } = found;
  if (!store.driver.keepsLayers) {
    throw new LayerfsError(
      "environment-missing",
      `Cannot mount "${image.reference}": the driver "${store.driver.name}" keeps no layers on ` +
        "this filesystem; make a container of it, or use a --store with the driver zfs or overlay",
      { driver: store.driver.name },
    );
  }
  if (image.chainId === null) {
    throw new LayerfsError(
      "unsupported",
      `Cannot mount "${image.reference}": the image has no layers`,
    );
  }
  await layerfs.provide(image.layers, options);
  return await layerfs.mountView(image.chainId, options.signal);
}

/**
 * Ends what {@linkcode mount} did. That it is not mounted is no error.
 *
 * @param subject as with {@linkcode mount}; the ChainID does for an image whose source is gone
 * @throws {LayerfsError} `not-found`; `busy`, naming the processes that use it
 */
export async function unmount(options: MountOptions, subject: string): Promise<void> {
  const found = await findSubject(options, subject);
  if (found.kind === "layer") await getLayer(options, found.chainId);
  if (await Store.read(options) === null) return; // and so nothing is mounted
  using store = await Store.open(options, "shared", options.signal);
  const layerfs = new LayerFS(store);
  if (found.kind === "container") return await layerfs.unmount(rootfsOf(found.container));
  const top = found.kind === "layer" ? found.chainId : found.image.chainId;
  if (top === null || !store.driver.keepsLayers) return; // cannot have been mounted
  await layerfs.unmountView(top, options.signal);
}
