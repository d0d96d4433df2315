/**
 * The driver that keeps every layer as a ZFS snapshot, and every container as a clone of one.
 *
 * What there is says ZFS: the names of datasets (dataset_names.ts) and the user properties of
 * layers' snapshots (layer_properties.ts). On disk there are the mount points `STORE/views/<hex>` of
 * layers, and what a listing of them says (layer_index.ts). No dataset mounts by itself
 * (canmount=noauto).
 *
 * @module
 */

import { LayerfsError, printable } from "../../errors.ts";
import type { Candidates } from "../../layer/tree_changes.ts";
import type { Digest } from "../../oci/digest.ts";
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
import type { LayerRecord, StoredLayer } from "../layer_record.ts";
import { isMountPoint } from "../mount_point.ts";
import type { ListedMount } from "../mounts.ts";
import { DatasetNames } from "./dataset_names.ts";
import { unmountDataset } from "./mounting.ts";
import { type Home, Ownership } from "./ownership.ts";
import { checkReplaceable, createRootfs, removeRootfs, replaceRootfs } from "./rootfs_dataset.ts";
import type { ZfsLayers } from "./zfs_layers.ts";
import { failureError } from "./zfs_failure.ts";

/** Of a store that remembers nothing. */
const NOWHERE: Home = { isKnown: false, remember: () => {} };

export class ZfsDriver implements Driver {
  readonly name = "zfs";
  readonly hasQuota = true;
  readonly keepsLayers = true;
  readonly keepsOwnFiles = false;
  readonly rootfsNeedsLayers = true;
  readonly #store: string;
  readonly #names: DatasetNames;
  readonly #ownership: Ownership;
  #late: Promise<ZfsLayers> | null = null;

  /**
   * Looks at nothing yet.
   *
   * @param store absolute path of the store's directory, without symlinks
   * @param dataset name of the root dataset
   * @throws {LayerfsError} `usage` for a name that no dataset can have
   */
  constructor(store: string, dataset: string, home: Home = NOWHERE) {
    this.#names = new DatasetNames(dataset);
    if (printable(store) !== store) {
      // They would have to be mount points, which `zfs get` prints a line each.
      const message = `Cannot use the store "${store}" with ZFS: its path has control characters`;
      throw new LayerfsError("usage", message, { store });
    }
    this.#store = store;
    this.#ownership = new Ownership(this.#names, store, home);
  }

  async createRootfs(container: NewRootfs): Promise<void> {
    const action = `Cannot create the root filesystem of container "${container.id}"`;
    await this.#ownership.confirm(this.#names.containers, action);
    const failure = await createRootfs(this.#names, container);
    if (failure === null) return;
    if (failure.kind === "exists") {
      const dataset = this.#names.container(container.id);
      const state = `there is a root filesystem of that name already, dataset "${dataset}"; ` +
        '"layerfs fsck --repair" gives it a record';
      throw new LayerfsError("conflict", `${action}: ${state}`, { dataset });
    }
    if (failure.kind !== "no-dataset" && failure.kind !== "no-parent") {
      throw failureError(failure, action);
    }
    await (await this.#layers()).refuseMissing(false, action);
    const state = `there is no layer ${container.top}`;
    throw new LayerfsError("not-found", `${action}: ${state}`, { chainId: container.top });
  }

  async mountRootfs({ id, rootfs }: ContainerRootfs): Promise<void> {
    if (isMountPoint(rootfs)) return;
    const action = `Cannot mount the root filesystem of container "${id}"`;
    await (await this.#layers()).mount(this.#names.container(id), rootfs, action);
  }

  /** zfs-fuse has the type "fuse.zfs". */
  isRootfs({ id }: ContainerRootfs, { source, fstype }: ListedMount): boolean {
    return source === this.#names.container(id) && /^(fuse\.)?zfs$/.test(fstype);
  }

  async unmountRootfs({ id, rootfs }: ContainerRootfs): Promise<void> {
    if (!isMountPoint(rootfs)) return;
    const action = `Cannot unmount the root filesystem of container "${id}"`;
    await unmountDataset(this.#names.container(id), rootfs, action);
  }

  async removeRootfs(container: ContainerRootfs, claim?: string): Promise<void> {
    const action = `Cannot remove the root filesystem of container "${container.id}"`;
    await this.#ownership.verify(this.#names.containers, action);
    if (await removeRootfs(this.#names, container, claim)) return;
    await (await this.#layers()).refuseMissing(false, action);
  }

  async checkReplaceable(container: ContainerRootfs): Promise<void> {
    const action = `Cannot replace the root filesystem of container "${container.id}"`;
    await this.#ownership.verify(this.#names.containers, action);
    await checkReplaceable(this.#names, container);
  }

  async replaceRootfs(container: ContainerRootfs, replacement: Replacing): Promise<void> {
    await replaceRootfs(this.#names, container, replacement);
  }

  /** A snapshot is seen below `.zfs` of a mounted dataset only, and on zfs-fuse not at all. */
  treeOf(_chainId: Digest): null {
    return null;
  }

  async initialize(): Promise<void> {
    return await (await this.#layers()).initialize();
  }

  async findMissing(): Promise<readonly string[]> {
    return await (await this.#layers()).findMissing();
  }

  async findLayers(chainIds: readonly Digest[]): Promise<ReadonlyMap<Digest, LayerRecord>> {
    return await (await this.#layers()).findLayers(chainIds);
  }

  async listLayers(): Promise<readonly StoredLayer[]> {
    return await (await this.#layers()).listLayers();
  }

  async prepareLayer(
    chainId: Digest,
    parent: LayerRecord | null,
    staging: string,
  ): Promise<StagedLayer> {
    return await (await this.#layers()).prepareLayer(chainId, parent, staging);
  }

  async removeLayer(chainId: Digest): Promise<Removal> {
    return await (await this.#layers()).removeLayer(chainId);
  }

  async mountLayer(chainId: Digest): Promise<string> {
    return await (await this.#layers()).mountLayer(chainId);
  }

  async unmountLayer(chainId: Digest): Promise<void> {
    return await (await this.#layers()).unmountLayer(chainId);
  }

  async changedPaths(container: ContainerRootfs): Promise<Candidates> {
    return await (await this.#layers()).changedPaths(container);
  }

  async rootfsStates(
    containers: readonly ContainerRootfs[],
  ): Promise<ReadonlyMap<string, RootfsState>> {
    return await (await this.#layers()).rootfsStates(containers);
  }

  async findRenamed(containers: readonly ContainerRootfs[]): Promise<ReadonlyMap<string, string>> {
    return await (await this.#layers()).findRenamed(containers);
  }

  async sweep(staging: string): Promise<void> {
    return await (await this.#layers()).sweep(staging);
  }

  async restoreLayer(chainId: Digest): Promise<boolean> {
    return await (await this.#layers()).restoreLayer(chainId);
  }

  async repairLayer(chainId: Digest): Promise<void> {
    return await (await this.#layers()).repairLayer(chainId);
  }

  async listStrays(): Promise<Strays> {
    return await (await this.#layers()).listStrays();
  }

  async survey(): Promise<Survey> {
    return await (await this.#layers()).survey();
  }

  async measure(known: readonly ContainerRootfs[]): Promise<Measured> {
    return await (await this.#layers()).measure(known);
  }

  /** Loaded when it is first needed. */
  #layers(): Promise<ZfsLayers> {
    return this.#late ??= this.#load();
  }

  async #load(): Promise<ZfsLayers> {
    const { ZfsLayers }: typeof import("./zfs_layers.ts") = await import(
      import.meta.resolve("./zfs_layers.ts")
    );
    return new ZfsLayers(this.#store, this.#names, this.#ownership);
  }
}
