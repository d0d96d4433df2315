/**
 * A layer in the making: a dataset below R/staging, mounted where the layer's view will be.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { StagedLayer } from "../driver.ts";
import type { RecordedLayer } from "../layer_files.ts";
import { layerName, type LayerRecord } from "../layer_record.ts";
import { isMountPoint } from "../mount_point.ts";
import { type DatasetNames, LAYER_SNAPSHOT } from "./dataset_names.ts";
import { FOREIGN_PROPERTIES, refuseChildren } from "./foreign.ts";
import type { LayerIndex } from "./layer_index.ts";
import { LAYER_PROPERTIES, readRecord, recordOptions } from "./layer_properties.ts";
import {
  destroyDataset,
  mountDataset,
  refusalError,
  removeMountPoint,
  undone,
  unmountDataset,
} from "./mounting.ts";
import { propertiesBelow, propertiesOf } from "./properties.ts";
import { tryPatiently, tryZfs, zfs } from "./zfs.ts";
import { failureError, isMade } from "./zfs_failure.ts";

/** How a layer of the same name that is not whole is put out of the way. */
export type RemoveBroken = (chainId: Digest) => Promise<unknown>;

export class StagedDataset implements StagedLayer {
  readonly root: string;
  readonly #names: DatasetNames;
  readonly #index: LayerIndex;
  readonly #dataset: string;
  readonly #chainId: Digest;
  readonly #removeBroken: RemoveBroken;
  #there = true;

  private constructor(
    names: DatasetNames,
    index: LayerIndex,
    dataset: string,
    chainId: Digest,
    view: string,
    removeBroken: RemoveBroken,
  ) {
    this.root = view;
    this.#names = names;
    this.#index = index;
    this.#dataset = dataset;
    this.#chainId = chainId;
    this.#removeBroken = removeBroken;
  }

  /**
   * Begins a layer.
   *
   * @param view where the layer's tree is to be mounted, now and later
   */
  static async create(
    names: DatasetNames,
    index: LayerIndex,
    { chainId, parent, staging, view }: {
      readonly chainId: Digest;
      readonly parent: LayerRecord | null;
      readonly staging: string;
      readonly view: string;
    },
    removeBroken: RemoveBroken,
  ): Promise<StagedDataset> {
    const action = `Cannot prepare layer ${chainId}`;
    const dataset = names.staged(staging);
    // Left by a process that died: nobody else makes this layer, and it is not there yet.
    if (isMountPoint(view)) await unmountDataset(view, view, action);
    const options = ["-o", "canmount=noauto", "-o", `mountpoint=${view}`];
    const make = parent === null
      ? ["create", ...options, dataset]
      : ["clone", ...options, names.snapshot(parent.chainId), dataset];
    const { failure } = await tryZfs(make);
    if (failure !== null && !isMade(failure)) throw failureError(failure, action);
    const staged = new StagedDataset(names, index, dataset, chainId, view, removeBroken);
    try {
      // A clone of zfs-fuse is mounted already, noauto or not; all else is not.
      if (!isMountPoint(view)) await mountDataset(dataset, view, action);
    } catch (error) {
      throw await undone(error, () => staged[Symbol.asyncDispose]());
    }
    return staged;
  }

  async commit(record: LayerRecord): Promise<void> {
    const action = `Cannot commit layer ${this.#chainId}`;
    // Unmounted first, so that nobody can change it between the snapshot and its new name.
    await unmountDataset(this.#dataset, this.root, action);
    // ZFS makes a snapshot in a transaction group of its own, and the call returns when that is on
    // disk with all that was written before: the content is durable, whatever happens from here on.
    const snapshot = `${this.#dataset}@${LAYER_SNAPSHOT}`;
    await zfs(["snapshot", ...recordOptions(record), snapshot], action);
    const all = await propertiesOf([this.#dataset], this.#dataset, ["used"], action);
    const bytes = Number(all.get(this.#dataset)?.get("used"));
    // The commit: one transaction. Below R/layers it inherits readonly=on.
    await this.#rename({ ...record, bytes }, action);
    this.#there = false;
    removeMountPoint(this.root);
  }

  async #rename(layer: RecordedLayer, action: string): Promise<void> {
    const target = this.#names.layer(this.#chainId);
    const rename = () => {
      this.#index.write(layer); // before the name; removing what was broken there removes it
      return tryPatiently(["rename", this.#dataset, target]);
    };
    let failure = await rename();
    if (failure?.kind === "exists") {
      await this.#refuseWhole(action);
      await this.#removeBroken(this.#chainId);
      failure = await rename();
    }
    if (failure === null) return;
    if (failure.kind === "exists") throw failureError(failure, action);
    throw await refusalError(this.#names, failure, this.#dataset, this.root, action);
  }

  /**
   * A whole layer of this name is not ours to replace: somebody has made it without the lock. What a
   * listing says is again what is there.
   */
  async #refuseWhole(action: string): Promise<void> {
    const dataset = this.#names.layer(this.#chainId);
    const snapshot = this.#names.snapshot(this.#chainId);
    const found = await propertiesOf([dataset, snapshot], dataset, LAYER_PROPERTIES, action);
    const record = readRecord(layerName(this.#chainId), found.get(snapshot));
    if (typeof record === "string") return;
    this.#index.write({ ...record, bytes: Number(found.get(dataset)?.get("used")) });
    throw new LayerfsError("conflict", `${action}: the layer exists already`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#there) return;
    const action = `Cannot discard layer ${this.#chainId}`;
    const all = await propertiesBelow([this.#dataset], FOREIGN_PROPERTIES, action);
    refuseChildren(this.#dataset, all, action);
    if (isMountPoint(this.root)) await unmountDataset(this.#dataset, this.root, action);
    const failure = await destroyDataset(this.#dataset);
    if (failure !== null && failure.kind !== "no-dataset") {
      throw await refusalError(this.#names, failure, this.#dataset, this.root, action);
    }
    this.#there = false;
    removeMountPoint(this.root);
  }
}
