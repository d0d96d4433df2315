/**
 * `layerfs mount` and `layerfs unmount`: a container's root filesystem, or an image, read-only.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { type ResolvedImage, resolveImage } from "../source/image.ts";
import { LayerFS, type Work } from "../store/layerfs.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { findContainer, rootfsOf } from "./containers.ts";

/** What to mount, and how. */
export interface MountOptions extends StoreOptions, Work {
  /** Platform of an image; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Mounts a container's root filesystem, or the tree of an image, read-only; the image's layers are
 * applied first where the store has them not yet. That it is mounted already is no error.
 *
 * @param subject a container's id, or a reference of an image
 * @returns the absolute path of the tree
 * @throws {LayerfsError} `not-found`, or what is wrong with the image
 */
export async function mount(options: MountOptions, subject: string): Promise<string> {
  using store = await Store.open(options, "shared", options.signal);
  const layerfs = new LayerFS(store);
  const container = namesContainer(subject) ? findContainer(store.path, subject) : null;
  if (container !== null) {
    const rootfs = rootfsOf(container);
    await layerfs.mount(rootfs);
    return rootfs.rootfs;
  }
  const image = await findImage(options, store, subject);
  const top = topOf(image, store);
  await layerfs.provide(image.layers, options);
  return await layerfs.mountView(top, options.signal);
}

/**
 * Ends what {@linkcode mount} did. That it is not mounted is no error.
 *
 * @throws {LayerfsError} `busy`, naming the processes that use it
 */
export async function unmount(options: MountOptions, subject: string): Promise<void> {
  using store = await Store.open(options, "shared", options.signal);
  const layerfs = new LayerFS(store);
  const container = namesContainer(subject) ? findContainer(store.path, subject) : null;
  if (container !== null) return await layerfs.unmount(rootfsOf(container));
  const top = topOf(await findImage(options, store, subject), store);
  await layerfs.unmountView(top, options.signal);
}

/** Whatever names a transport is an image; a container's id has no colon. */
export function namesContainer(subject: string): boolean {
  return !subject.includes(":") || parseReference(subject).transport === "store";
}

function findImage(options: MountOptions, store: Store, subject: string): Promise<ResolvedImage> {
  const { platform } = options;
  const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
  return resolveImage(subject, wanted, store.path);
}

function topOf({ chainId, reference }: ResolvedImage, { driver }: Store): Digest {
  if (!driver.keepsLayers) {
    throw new LayerfsError(
      "unsupported",
      `Cannot mount "${reference}": the driver "${driver.name}" keeps no layers on this ` +
        "filesystem; make a container of it, or use the driver zfs or overlay",
    );
  }
  if (chainId !== null) return chainId;
  throw new LayerfsError("unsupported", `Cannot mount "${reference}": the image has no layers`);
}
