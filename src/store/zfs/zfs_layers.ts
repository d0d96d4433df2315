/**
 * What the driver "zfs" does with layers, and with all that there is. A container on layers that are
 * there takes none of it, so zfs_driver.ts loads this when it is first needed.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Candidates } from "../../layer/tree_changes.ts";
import type { Digest } from "../../oci/digest.ts";
import { storageError } from "../../system_error.ts";
import type {
  ContainerRootfs,
  Measured,
  Removal,
  RootfsState,
  StagedLayer,
  Strays,
  Survey,
} from "../driver.ts";
import { layerName, type LayerRecord, type StoredLayer } from "../layer_record.ts";
import { isMountPoint } from "../mount_point.ts";
import { createRoots, missingRoot, missingRoots } from "./create_roots.ts";
import { type DatasetNames, isStagedName } from "./dataset_names.ts";
import { LayerIndex } from "./layer_index.ts";
import {
  LAYER_PROPERTIES,
  readRecord,
  readRecords,
  RECORD_PROPERTIES,
} from "./layer_properties.ts";
import { mountDataset, removeMountPoint, unmountDataset, VIEW_OPTIONS } from "./mounting.ts";
import { type Ownership, STORE } from "./ownership.ts";
import { propertiesBelow, propertiesOf, propertiesOneBelow } from "./properties.ts";
import { refuseClones, removeLayer } from "./remove_layer.ts";
import { restoreLayer } from "./restore_layer.ts";
import { TOP } from "./rootfs_dataset.ts";
import { STATE_PROPERTIES, statesOf } from "./rootfs_states.ts";
import { StagedDataset } from "./staged_dataset.ts";
import {
  findBrokenLayers,
  findRenamed,
  findRootfs,
  findStrays,
  STRAY_PROPERTIES,
} from "./strays.ts";
import { SWEEP_PROPERTIES, sweepDataset } from "./sweep_dataset.ts";
import { diffDataset } from "./zfs_diff.ts";

/** Its methods are those of a `Driver`. */
export class ZfsLayers {
  readonly #store: string;
  readonly #names: DatasetNames;
  readonly #ownership: Ownership;
  readonly #index: LayerIndex;

  /** @param store absolute path of the store's directory, without symlinks */
  constructor(store: string, names: DatasetNames, ownership: Ownership) {
    this.#store = store;
    this.#names = names;
    this.#ownership = ownership;
    this.#index = new LayerIndex(`${store}/layers`);
  }

  async initialize(): Promise<void> {
    await createRoots(this.#names, this.#ownership);
    this.#index.initialize();
    try {
      Deno.mkdirSync(this.#views, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, `Cannot make "${this.#views}"`);
    }
  }

  async findMissing(): Promise<readonly string[]> {
    return await missingRoots(this.#names);
  }

  async findLayers(chainIds: readonly Digest[]): Promise<ReadonlyMap<Digest, LayerRecord>> {
    if (chainIds.length === 0) return new Map();
    const action = `Cannot look for layers in "${this.#names.layers}"`;
    // R/layers is asked for as well, to tell a missing pool from missing layers.
    const names = [this.#names.layers, ...chainIds.map((chainId) => this.#names.snapshot(chainId))];
    const properties = [STORE, ...RECORD_PROPERTIES];
    const all = await propertiesOf(names, this.#names.layers, properties, action);
    await this.refuseMissing(all.has(this.#names.layers), action);
    this.#ownership.check(all, this.#names.layers, action);
    return readRecords(chainIds, (chainId) => all.get(this.#names.snapshot(chainId)));
  }

  async listLayers(): Promise<readonly StoredLayer[]> {
    const { layers } = this.#names;
    const action = `Cannot list the layers in "${layers}"`;
    const own = await propertiesOf([layers], layers, [STORE], action);
    await this.refuseMissing(own.has(layers), action);
    this.#ownership.check(own, layers, action);
    return await this.#index.stored(this.#views);
  }

  async prepareLayer(
    chainId: Digest,
    parent: LayerRecord | null,
    staging: string,
  ): Promise<StagedLayer> {
    const layer = { chainId, parent, staging, view: this.#view(chainId) };
    return await StagedDataset.create(this.#names, this.#index, layer, this.#removeBroken);
  }

  async removeLayer(chainId: Digest): Promise<Removal> {
    const action = `Cannot remove layer ${chainId}`;
    await this.#ownership.verify(this.#names.layers, action);
    const removal = await removeLayer(this.#names, chainId, this.#view(chainId));
    if (removal === null) await this.refuseMissing(false, action);
    this.#index.remove(layerName(chainId));
    return removal ?? "removed";
  }

  async mountLayer(chainId: Digest): Promise<string> {
    const action = `Cannot mount layer ${chainId}`;
    const view = this.#view(chainId);
    if (isMountPoint(view)) return view;
    await this.mount(this.#names.layer(chainId), view, action, VIEW_OPTIONS);
    return view;
  }

  async unmountLayer(chainId: Digest): Promise<void> {
    const view = this.#view(chainId);
    const action = `Cannot unmount layer ${chainId}`;
    if (isMountPoint(view)) await unmountDataset(this.#names.layer(chainId), view, action);
    removeMountPoint(view);
  }

  async changedPaths({ id, rootfs, top }: ContainerRootfs): Promise<Candidates> {
    if (top === null) return { paths: null, keepsInodes: false };
    const action = `Cannot read the changes of container "${id}"`;
    return await diffDataset(this.#names.snapshot(top), this.#names.container(id), rootfs, action);
  }

  async rootfsStates(
    containers: readonly ContainerRootfs[],
  ): Promise<ReadonlyMap<string, RootfsState>> {
    if (containers.length === 0) return new Map();
    const parent = this.#names.containers;
    const action = `Cannot look for containers in "${parent}"`;
    const names = [parent, ...containers.map(({ id }) => this.#names.container(id))];
    const all = await propertiesOf(names, parent, [...STATE_PROPERTIES, STORE], action);
    await this.refuseMissing(all.has(parent), action);
    this.#ownership.check(all, parent, action);
    return statesOf(this.#names, containers, all);
  }

  async findRenamed(
    containers: readonly ContainerRootfs[],
  ): Promise<ReadonlyMap<string, string>> {
    return await findRenamed(this.#names, containers);
  }

  async sweep(staging: string): Promise<void> {
    if (!isStagedName(staging)) return;
    const { staging: parent } = this.#names;
    const dataset = this.#names.staged(staging);
    const action = `Cannot sweep "${dataset}"`;
    await this.#ownership.verify(parent, action);
    const all = await propertiesBelow([dataset], SWEEP_PROPERTIES, action);
    await this.refuseMissing(all.has(dataset), action);
    if (all.has(dataset)) await sweepDataset(this.#names, dataset, all, action);
  }

  async restoreLayer(chainId: Digest): Promise<boolean> {
    await this.#ownership.verify(this.#names.layers, `Cannot restore layer ${chainId}`);
    await restoreLayer(this.#names, chainId, this.#view(chainId));
    return true;
  }

  async repairLayer(chainId: Digest): Promise<void> {
    const action = `Cannot repair layer ${chainId}`;
    const dataset = this.#names.layer(chainId);
    const snapshot = this.#names.snapshot(chainId);
    const all = await propertiesOf([dataset, snapshot], dataset, LAYER_PROPERTIES, action);
    const record = readRecord(layerName(chainId), all.get(snapshot));
    if (typeof record === "string") await this.#removeBroken(chainId);
    else this.#index.write({ ...record, bytes: Number(all.get(dataset)?.get("used")) });
  }

  async listStrays(): Promise<Strays> {
    const { layers, containers, staging } = this.#names;
    const action = `Cannot list what is in "${this.#names.root}"`;
    const all = await propertiesBelow([layers, containers, staging], STRAY_PROPERTIES, action);
    await this.refuseMissing(all.has(layers), action);
    for (const name of [layers, containers, staging]) this.#ownership.check(all, name, action);
    return {
      ...findStrays(this.#names, all),
      brokenLayers: findBrokenLayers(this.#names, all, this.#index.list()),
    };
  }

  async survey(): Promise<Survey> {
    const { containers, staging } = this.#names;
    const action = `Cannot list what is in "${this.#names.root}"`;
    const all = await propertiesBelow([containers, staging], STRAY_PROPERTIES, action);
    await this.refuseMissing(all.has(containers), action);
    for (const name of [containers, staging]) this.#ownership.check(all, name, action);
    return { ...findStrays(this.#names, all), layers: () => this.#index.stored(this.#views) };
  }

  async measure(known: readonly ContainerRootfs[]): Promise<Measured> {
    const { root, layers, containers } = this.#names;
    const action = `Cannot measure dataset "${root}"`;
    const asked = [...STATE_PROPERTIES, "available", "mountpoint", TOP, STORE];
    const all = await propertiesOneBelow([root, containers], asked, action);
    await this.refuseMissing(all.has(layers) && all.has(containers), action);
    for (const name of [layers, containers]) this.#ownership.check(all, name, action);
    const bytes = (property: string) => Number(all.get(root)?.get(property));
    return {
      layers: await this.#index.stored(this.#views),
      states: statesOf(this.#names, known, all),
      strays: findRootfs(this.#names, all),
      capacity: { usedBytes: bytes("used"), availableBytes: bytes("available") },
    };
  }

  readonly #removeBroken = async (chainId: Digest): Promise<void> => {
    await refuseClones(this.#names, chainId);
    await this.removeLayer(chainId);
  };

  /** Where layers' trees are mounted. */
  get #views(): string {
    return `${this.#store}/views`;
  }

  /** Where a layer's tree is mounted. */
  #view(chainId: Digest): string {
    return `${this.#views}/${layerName(chainId)}`;
  }

  /** Mounts a dataset; where that is missing, tells whether all of the store is. */
  async mount(
    dataset: string,
    place: string,
    action: string,
    options: readonly string[] = [],
  ): Promise<void> {
    try {
      await mountDataset(dataset, place, action, options);
    } catch (error) {
      if (error instanceof LayerfsError && error.code === "not-found") {
        await this.refuseMissing(false, action);
      }
      throw error;
    }
  }

  /** Throws where something is missing because all of the store is. */
  async refuseMissing(isThere: boolean, action: string): Promise<void> {
    if (isThere) return;
    const error = await missingRoot(this.#names, action);
    if (error !== null) throw error;
  }
}
