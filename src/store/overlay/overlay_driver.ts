/**
 * The driver for root on any Linux: every layer holds its own changes only, in overlayfs's format, and
 * a container is an overlay of its layers and an upper directory.
 *
 *     layers/<hex>/layer.json  record of a layer (see layer_files.ts)
 *     layers/<hex>/diff/       its own files: a device 0:0 hides a name of the layers below, the
 *                              xattr trusted.overlay.opaque all that they have in a directory
 *     staging/<name>/          a layer in the making (see staged_overlay.ts)
 *     views/<hex>/             where a layer is mounted for somebody to read (see layer_views.ts)
 *     <bundle>/overlay/        the changes of a container (see container_overlay.ts)
 *
 * Where overlayfs cannot be mounted, that is an error: no other driver takes over.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { lstatOrNull } from "../../files.ts";
import type { Candidates } from "../../layer/tree_changes.ts";
import type { Digest } from "../../oci/digest.ts";
import { storageError } from "../../system_error.ts";
import { capacityOf, diskUsage } from "../disk_usage.ts";
import type {
  ContainerRootfs,
  Driver,
  Measured,
  NewRootfs,
  Removal,
  Replacing,
  RootfsState,
  StagedLayer,
  Strays,
  Survey,
} from "../driver.ts";
import { LayerDirectory } from "../layer_files.ts";
import { layerName, type LayerRecord, type StoredLayer } from "../layer_record.ts";
import type { ListedMount } from "../mounts.ts";
import { ContainerOverlay } from "./container_overlay.ts";
import { LayerViews } from "./layer_views.ts";
import { checkStack, overlaysBelow } from "./mount_overlay.ts";
import { isStoreInUse } from "./mount_source.ts";
import { checkOverlay } from "./probe.ts";
import { DIFF, StagedOverlay } from "./staged_overlay.ts";
import { unmount } from "./unmount.ts";
import { upperPaths } from "./upper_paths.ts";

export class OverlayDriver implements Driver {
  readonly name = "overlay";
  readonly hasQuota = false;
  readonly keepsLayers = true;
  readonly keepsOwnFiles = true;
  readonly rootfsNeedsLayers = true;
  readonly #store: string;
  readonly #layers: LayerDirectory;
  readonly #views: LayerViews;

  /** @param store absolute path */
  constructor(store: string) {
    this.#store = store;
    this.#layers = new LayerDirectory(`${store}/layers`, DIFF);
    this.#views = new LayerViews(store);
  }

  /**
   * Makes sure too that overlayfs can be used: later, only the first layer on top of another would
   * tell, or nothing would, where a filesystem takes mounts and cannot hide files.
   */
  async initialize(): Promise<void> {
    await checkOverlay(this.#store);
    await attempt(`Cannot use the store "${this.#store}"`, () => {
      for (const place of [this.#layers.path, `${this.#store}/views`]) {
        Deno.mkdirSync(place, { recursive: true, mode: 0o700 });
      }
    });
  }

  /** Directories are made when they are needed. */
  findMissing(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  findLayers(chainIds: readonly Digest[]): Promise<ReadonlyMap<Digest, LayerRecord>> {
    return attempt("Cannot look for layers", () => {
      const found = new Map<Digest, LayerRecord>();
      for (const id of chainIds) {
        const layer = this.#layers.find(id);
        if (layer === null) continue;
        const { chainId, diffId, parent, traits } = layer;
        found.set(id, { chainId, diffId, parent, traits });
      }
      return found;
    });
  }

  async listLayers(): Promise<readonly StoredLayer[]> {
    const { layers } = this.#layers.list();
    const mounted = await this.#views.mounted();
    return layers.map((layer) => ({ ...layer, mounted: mounted.has(layerName(layer.chainId)) }));
  }

  async prepareLayer(
    chainId: Digest,
    parent: LayerRecord | null,
    staging: string,
    own: string | null = null,
  ): Promise<StagedLayer> {
    const action = `Cannot make layer ${chainId}`;
    const lowers = parent === null ? [] : this.#stackOf(parent.chainId);
    // No container could be mounted on one more.
    checkStack(`layer ${chainId}`, lowers.length + 1);
    const directory = `${this.#store}/staging/${staging}`;
    return await StagedOverlay.create(directory, { lowers, own }, this.#layers, action);
  }

  async removeLayer(chainId: Digest): Promise<Removal> {
    this.#layers.checkNothingOnTop(chainId);
    await this.#removeLayer(chainId);
    return "removed";
  }

  async #removeLayer(chainId: Digest): Promise<void> {
    await this.#views.unmount(chainId);
    await this.#layers.remove(chainId);
  }

  /** A base layer's own files are its tree. */
  treeOf(chainId: Digest): string | null {
    return this.#layers.find(chainId)?.parent === null ? this.#layers.content(chainId) : null;
  }

  mountLayer(chainId: Digest): Promise<string> {
    return this.#views.mount(chainId, () => this.#stackOf(chainId));
  }

  unmountLayer(chainId: Digest): Promise<void> {
    return this.#views.unmount(chainId);
  }

  async createRootfs(container: NewRootfs): Promise<void> {
    await new ContainerOverlay(container, this.#store).create(this.#lowersOf(container));
  }

  async mountRootfs(container: ContainerRootfs): Promise<void> {
    await new ContainerOverlay(container, this.#store).mount(() => this.#lowersOf(container));
  }

  isRootfs(container: ContainerRootfs, mount: ListedMount): boolean {
    return new ContainerOverlay(container, this.#store).isItself(mount);
  }

  unmountRootfs(container: ContainerRootfs): Promise<void> {
    return new ContainerOverlay(container, this.#store).unmount();
  }

  async changedPaths(container: ContainerRootfs): Promise<Candidates> {
    if (container.top === null) return { paths: null, keepsInodes: false };
    const { own } = new ContainerOverlay(container, this.#store);
    return await upperPaths(own, `Cannot read the changes of container "${container.id}"`);
  }

  removeRootfs(container: ContainerRootfs): Promise<void> {
    return new ContainerOverlay(container, this.#store).remove();
  }

  checkReplaceable(container: ContainerRootfs): Promise<void> {
    return new ContainerOverlay(container, this.#store).checkReplaceable();
  }

  replaceRootfs(container: ContainerRootfs, replacement: Replacing): Promise<void> {
    const other = new ContainerOverlay(replacement, this.#store);
    return attempt(`Cannot replace the root filesystem of container "${container.id}"`, () => {
      new ContainerOverlay(container, this.#store).replaceBy(other, replacement.aside);
    });
  }

  /** A container's own bytes are those of its upper directory; the mounted tree is not walked. */
  async rootfsStates(
    containers: readonly ContainerRootfs[],
  ): Promise<ReadonlyMap<string, RootfsState>> {
    const all = containers.map(({ id, ...rest }) => ({
      id,
      rootfs: new ContainerOverlay({ id, ...rest }, this.#store),
    })).filter(({ rootfs }) => rootfs.exists);
    const bytes = await diskUsage(all.map(({ rootfs }) => rootfs.own));
    return new Map(all.map(({ id, rootfs }) => {
      return [id, { mounted: rootfs.isMounted, ownBytes: bytes.get(rootfs.own) ?? 0 }];
    }));
  }

  /** Its name is that of its bundle. */
  findRenamed(): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map());
  }

  /**
   * Nothing but our overlays is unmounted: what else is mounted there is somebody's.
   *
   * @throws {LayerfsError} `busy` for a layer that was replaced, as long as anything is mounted from
   * this store: the kernel does not tell which overlay has which layers
   */
  async sweep(staging: string): Promise<void> {
    if (this.#layers.isReplaced(staging) && await isStoreInUse(this.#store)) {
      const state = "a container that is mounted may use it; unmount all, and try again";
      throw new LayerfsError("busy", `Cannot remove damaged layer "${staging}": ${state}`);
    }
    await this.#layers.sweep(staging);
    const directory = `${this.#store}/staging/${staging}`;
    if (lstatOrNull(directory) === null) return;
    // The last one first, as one may be in another.
    for (const name of (await overlaysBelow(directory)).reverse()) {
      await unmount(`${directory}/${name}`, `Cannot sweep "${directory}"`);
    }
  }

  /** Root filesystems are in bundles, all of them. */
  async survey(): Promise<Survey> {
    const { brokenLayers: _, ...strays } = await this.listStrays();
    return { ...strays, layers: () => this.listLayers() };
  }

  /** Its files are all that there is of it. */
  restoreLayer(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async repairLayer(chainId: Digest): Promise<void> {
    if (this.#layers.find(chainId) !== null) return;
    this.#layers.checkWorthless(chainId);
    // Whatever is on top of it: there is nothing of a layer in it, and that can be made anew.
    await this.#removeLayer(chainId);
  }

  async listStrays(): Promise<Strays> {
    const staging = `${this.#store}/staging`;
    const mounts = lstatOrNull(staging) === null ? [] : await overlaysBelow(staging);
    return await attempt(`Cannot list the layers of "${this.#store}"`, () => ({
      staging: [
        ...new Set(mounts.map((name) => name.slice(0, name.indexOf("/")))),
        ...this.#layers.removed(),
      ],
      waiting: [],
      containers: [],
      brokenLayers: this.#layers.list().broken,
    }));
  }

  async measure(containers: readonly ContainerRootfs[]): Promise<Measured> {
    const capacity = capacityOf(this.#store);
    const layers = await this.listLayers();
    const states = await this.rootfsStates(containers);
    return { layers, states, strays: [], capacity };
  }

  #lowersOf({ top }: ContainerRootfs): string[] {
    return top === null ? [] : this.#stackOf(top);
  }

  /**
   * The `diff` directories of a layer and those below it, the top first, as overlayfs takes them.
   *
   * @throws {LayerfsError} `not-found` where it or one below is not there, so that whoever has the image
   * makes those that are missing; `storage` for a circle; `unsupported` for more layers than the kernel
   * stacks
   */
  #stackOf(top: Digest): string[] {
    const diffs = new Map<Digest, string>();
    for (let chainId: Digest | null = top; chainId !== null;) {
      const action = `Cannot use layer ${top}`;
      const layer = this.#layers.find(chainId);
      if (layer === null && chainId === top) {
        throw new LayerfsError("not-found", `${action}: the store has no such layer`, { chainId });
      }
      if (layer === null) {
        const state =
          "which is needed below it, is missing or damaged; create a container of its " +
          "image again, which makes it anew";
        throw new LayerfsError("not-found", `${action}: layer ${chainId}, ${state}`, { chainId });
      }
      // A record that was tampered with may lead back to itself.
      if (diffs.has(chainId)) {
        throw new LayerfsError("storage", `${action}: layer ${chainId} is below itself`, {
          chainId,
        });
      }
      diffs.set(chainId, this.#layers.content(chainId));
      chainId = layer.parent;
    }
    checkStack(`layer ${top}`, diffs.size);
    return [...diffs.values()];
  }
}

/** Does `work`, with its errors as those of a storage. */
function attempt<T>(action: string, work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(storageError(error, action));
  }
}
