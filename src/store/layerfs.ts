/**
 * LayerFS: layers that are applied once, and containers that are clones of them.
 *
 * Everything that is common to all drivers is decided here: what is made in which order, and under
 * which locks. A layer is made by one process, while the others that want it wait; then all use it.
 *
 * @example
 * ```ts ignore
 * using store = await Store.open(options);
 * const layerfs = new LayerFS(store);
 * const result = await layerfs.createRootfs({ id, rootfs, top: image.chainId }, image.layers, work);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { removeIfThere } from "../files.ts";
import type { LayerSource } from "../layer/layer_source.ts";
import { NO_TRAITS } from "../layer/traits.ts";
import type { Digest } from "../oci/digest.ts";
import type { ContainerRootfs, Driver, NewRootfs, Removal } from "./driver.ts";
import { layerName } from "./layer_record.ts";
import { isMountPoint } from "./mount_point.ts";
import { describeMount, listMounts } from "./mounts.ts";
import type { Store } from "./store.ts";
import { NOTHING_PROVIDED, type Provided, type StackedBlob, type Work } from "./work.ts";

export class LayerFS {
  readonly #store: Store;
  readonly #driver: Driver;

  /** @param store opened to work in it */
  constructor(store: Store) {
    this.#store = store;
    this.#driver = store.driver;
  }

  /**
   * Makes the root filesystem of a container as a clone of the top layer; where layers are missing,
   * they are applied first. A driver that keeps no layers has them all unpacked in its place.
   *
   * @param container its `top` is the ChainID of the last of `layers`
   * @throws {LayerfsError} what is wrong with a layer, or with the storage
   */
  async createRootfs(
    container: NewRootfs,
    layers: readonly StackedBlob[],
    work: Work,
  ): Promise<Provided> {
    if (!this.#driver.keepsLayers || container.top === null) {
      await this.#driver.createRootfs({ ...container, top: null });
      return await this.unpack(container.rootfs, layers, work);
    }
    // As a rule the layers are there: then this is all.
    if (await this.#clones(container)) return { ...NOTHING_PROVIDED, reused: layers.length };
    const provided = await this.provide(layers, work);
    await this.#driver.createRootfs(container);
    return provided;
  }

  async #clones(container: NewRootfs): Promise<boolean> {
    try {
      await this.#driver.createRootfs(container);
      return true;
    } catch (error) {
      if (error instanceof LayerfsError && error.code === "not-found") return false;
      throw error;
    }
  }

  /** Unpacks layers into a directory that belongs to nobody else yet. */
  async unpack(root: string, layers: readonly LayerSource[], work: Work): Promise<Provided> {
    if (layers.length === 0) return NOTHING_PROVIDED;
    await using staging = this.#store.stage();
    using _progress = announce(layers, work);
    const job = {
      root,
      scratch: staging.path,
      layers,
      engine: work.engine,
      asRoot: Deno.uid() === 0,
      traits: NO_TRAITS,
      ...(work.threads === undefined ? {} : { threads: work.threads }),
    };
    const { applyLayers }: typeof import("../layer/apply_layers.ts") = await import(
      import.meta.resolve("../layer/apply_layers.ts")
    );
    const result = await applyLayers(job, work.signal, work.onProgress);
    const sum = (key: "compressed" | "uncompressed") =>
      result.layers.reduce((total, layer) => total + layer[key], 0);
    return {
      reused: 0,
      applied: layers.length,
      compressed: sum("compressed"),
      uncompressed: sum("uncompressed"),
      warnings: result.warnings,
    };
  }

  /**
   * Makes sure that all layers of a stack are there.
   *
   * @param layers the base first
   */
  async provide(layers: readonly StackedBlob[], work: Work): Promise<Provided> {
    const found = await this.#driver.findLayers(layers.map(({ chainId }) => chainId));
    const missing = layers.filter(({ chainId }) => !found.has(chainId));
    if (missing.length === 0) return { ...NOTHING_PROVIDED, reused: layers.length };
    using _progress = announce(missing, work);
    // Loaded only here: as a rule the layers are there.
    const { makeLayers }: typeof import("./make_layers.ts") = await import(
      import.meta.resolve("./make_layers.ts")
    );
    const skeletonPath = (chainId: Digest) => this.skeletonPath(chainId);
    return await makeLayers(this.#store, { layers, found, skeletonPath }, work);
  }

  /** Removes a layer that no layer is on top of. That it is not there is no error. */
  async removeLayer(chainId: Digest): Promise<Removal> {
    const removal = await this.#driver.removeLayer(chainId);
    removeIfThere(this.skeletonPath(chainId));
    return removal;
  }

  /** Where the skeleton of a layer is (see layer/skeleton.ts). */
  skeletonPath(chainId: Digest): string {
    return `${this.#store.path}/skeletons/${layerName(chainId)}`;
  }

  /** Mounts the tree of a stack, read-only; returns where. */
  async mountView(top: Digest, signal: AbortSignal): Promise<string> {
    using _lock = await this.#store.lockLayer(top, signal);
    return await this.#driver.mountLayer(top);
  }

  /** Ends what {@linkcode LayerFS.mountView} did. */
  async unmountView(top: Digest, signal: AbortSignal): Promise<void> {
    using _lock = await this.#store.lockLayer(top, signal);
    await this.#driver.unmountLayer(top);
  }

  /** Shows `read` the tree of a stack, which stays mounted only if it was before. */
  async withTree<T>(
    top: Digest,
    signal: AbortSignal,
    read: (root: string) => Promise<T>,
  ): Promise<T> {
    const tree = this.#driver.treeOf(top);
    if (tree !== null) return await read(tree);
    using _lock = await this.#store.lockLayer(top, signal);
    const view = this.viewPath(top);
    const wasMounted = isMountPoint(view);
    const root = await this.#driver.mountLayer(top);
    try {
      return await read(root);
    } finally {
      if (!wasMounted) await this.#driver.unmountLayer(top);
    }
  }

  /** Shows `read` the tree of layers that are unpacked for this once: the store keeps none. */
  async withUnpacked<T>(
    layers: readonly LayerSource[],
    work: Work,
    read: (root: string) => Promise<T>,
  ): Promise<T> {
    await using staging = this.#store.stage();
    const root = `${staging.path}/tree`;
    Deno.mkdirSync(root);
    Deno.chmodSync(root, 0o755); // whatever the umask
    await this.unpack(root, layers, work);
    return await read(root);
  }

  /** Where the tree of a stack is mounted. */
  viewPath(top: Digest): string {
    return `${this.#store.path}/views/${layerName(top)}`;
  }

  /** Shows `read` a container's root filesystem, which stays mounted only if it was before. */
  async withRootfs<T>(container: ContainerRootfs, read: () => Promise<T>): Promise<T> {
    const wasMounted = isMountPoint(container.rootfs);
    await this.mount(() => container);
    try {
      return await read();
    } finally {
      if (!wasMounted) await this.unmount(container);
    }
  }

  /**
   * Mounts a container's root filesystem, if it is not.
   *
   * @param find is asked for it when nobody can replace it any more
   * @throws {LayerfsError} `conflict` where something else is mounted at its place: that would be
   * read, and written to, for the container
   */
  async mount(find: () => ContainerRootfs): Promise<void> {
    using _lock = await this.#store.lockNames();
    const container = find();
    if (isMountPoint(container.rootfs)) await this.#refuseForeign(container);
    await this.#driver.mountRootfs(container);
  }

  async #refuseForeign(container: ContainerRootfs): Promise<void> {
    const { id, rootfs } = container;
    const mount = (await listMounts()).findLast(({ target }) => target === rootfs);
    if (mount === undefined || this.#driver.isRootfs(container, mount)) return;
    throw new LayerfsError(
      "conflict",
      `Cannot mount the root filesystem of container "${id}": ${describeMount(mount)} is mounted ` +
        `in its place; umount "${rootfs}"`,
      { id, path: rootfs },
    );
  }

  /** Unmounts a container's root filesystem, if it is mounted. */
  async unmount(container: ContainerRootfs): Promise<void> {
    using _lock = await this.#store.lockNames();
    await this.#driver.unmountRootfs(container);
  }
}

/** Tells of the start of a work on layers, and of its end when it is disposed of. */
function announce(layers: readonly LayerSource[], { onProgress }: Work): Disposable {
  const bytes = layers.reduce((sum, { content }) => sum + content.length, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  return { [Symbol.dispose]: () => onProgress({ type: "end" }) };
}
