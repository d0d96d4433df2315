/**
 * What a storage driver does. LayerFS (layerfs.ts) decides what is to be done, and holds the locks:
 * of two calls for one layer or one container, a driver sees one at a time.
 *
 * Every path is absolute. A driver checks after every mount that there is one, before anything is
 * written below it.
 *
 * @module
 */

import type { Candidates } from "../layer/tree_changes.ts";
import type { Digest } from "../oci/digest.ts";
import type { LayerRecord, StoredLayer } from "./layer_record.ts";
import type { ListedMount } from "./mounts.ts";

/** The drivers that there are. */
export type DriverName = "zfs" | "overlay" | "directory";

/** A layer in the making, until it is committed or disposed of, which discards it. */
export interface StagedLayer extends AsyncDisposable {
  /** A writable directory with the content of the layers below. */
  readonly root: string;
  /** The directory with what the layer itself consists of, where it {@linkcode Driver.keepsOwnFiles}. */
  readonly own?: string;
  /**
   * Makes the content durable, and then gives it its name, in one step: a kill leaves a whole layer
   * or none.
   *
   * @throws {LayerfsError} `conflict` where the layer is there, which stays as it is; `storage-full`,
   * `storage`
   */
  commit(record: LayerRecord): Promise<void>;
}

/** A container's root filesystem. */
export interface ContainerRootfs {
  /** The container's id. */
  readonly id: string;
  /** Where it is, or is to be, mounted: `rootfs` in the container's bundle, which exists. */
  readonly rootfs: string;
  /** ChainID of its top layer; null for a container that began empty. */
  readonly top: Digest | null;
}

/** A new root filesystem. */
export interface NewRootfs extends ContainerRootfs {
  /** Bytes that the container may add to its layers, where the driver {@linkcode Driver.hasQuota}. */
  readonly quota?: number;
  /** Name of the staging directory that it is made under: says whose it is until it is complete. */
  readonly claim?: string;
}

/** A root filesystem that takes the place of another one. */
export interface Replacing extends ContainerRootfs {
  /** Name of the staging directory that it is made under; what a driver keeps aside has it, too. */
  readonly staging: string;
  /** Absolute path for what goes aside, in the same bundle: not there, or from an earlier call. */
  readonly aside: string;
}

/** The state of a container's root filesystem. */
export interface RootfsState {
  /** Whether it can be used as it is. */
  readonly mounted: boolean;
  /** Bytes on disk that only this container takes. */
  readonly ownBytes: number;
  /** What {@linkcode NewRootfs.quota} has limited them to, or somebody later; absent for nothing. */
  readonly quota?: number;
}

/** What became of a layer that was to be removed: something foreign may still depend on it. */
export type Removal = "removed" | "deferred";

/** Space of the filesystem or dataset that the store is on, in bytes. */
export interface Capacity {
  /** In use, by whatever. */
  readonly usedBytes: number;
  /** Free for us. */
  readonly availableBytes: number;
}

/** A way to store layers and root filesystems. */
export interface Driver {
  readonly name: DriverName;
  /** Whether it can limit what a root filesystem takes. */
  readonly hasQuota: boolean;
  /** Whether it keeps layers. Where it does not, every container gets all layers unpacked anew. */
  readonly keepsLayers: boolean;
  /** Whether a layer is a directory with what it consists of itself, and can be made of such a one. */
  readonly keepsOwnFiles: boolean;
  /** Whether a container's root filesystem is of no use without its layers. */
  readonly rootfsNeedsLayers: boolean;

  /** Makes what it needs where that is missing: the store's first use. */
  initialize(): Promise<void>;
  /**
   * Names of what {@linkcode Driver.initialize} would make now, though the store has been used:
   * somebody has removed or renamed it.
   */
  findMissing(): Promise<readonly string[]>;

  /** The records of those of `chainIds` that there are, whatever their number in one call. */
  findLayers(chainIds: readonly Digest[]): Promise<ReadonlyMap<Digest, LayerRecord>>;
  /** All layers, in any order, whatever their number in one call of another program at most. */
  listLayers(): Promise<readonly StoredLayer[]>;
  /**
   * Begins the layer `chainId` on top of `parent`; of one that another process has left, nothing
   * is taken over.
   *
   * @param staging name of the staging directory `STORE/staging/<name>`, which exists, and in which
   * no layer was begun
   * @param own absolute path of a directory with what the layer consists of, in the store's staging
   * directory, for a driver that {@linkcode Driver.keepsOwnFiles}; it is taken away. Null for nothing
   */
  prepareLayer(
    chainId: Digest,
    parent: LayerRecord | null,
    staging: string,
    own?: string | null,
  ): Promise<StagedLayer>;
  /**
   * Removes a layer that no layer of the store is on top of. That it is not there is no error.
   * `deferred`: it goes by itself once the foreign clones or holds on it have gone.
   *
   * @throws {LayerfsError} `conflict` where a layer is on top of it, `busy` where its view is in use;
   * with nothing removed
   */
  removeLayer(chainId: Digest): Promise<Removal>;
  /**
   * A directory with the tree of a layer and those below it, to be read only; null where that takes
   * {@linkcode Driver.mountLayer}.
   */
  treeOf(chainId: Digest): string | null;
  /** Mounts the tree of a layer and those below it, read-only. That it is mounted is no error. */
  mountLayer(chainId: Digest): Promise<string>;
  /** Ends what {@linkcode mountLayer} did. That it is not mounted is no error. */
  unmountLayer(chainId: Digest): Promise<void>;

  /** Makes the root filesystem of a container and mounts it; `rootfs` is made here. */
  createRootfs(container: NewRootfs): Promise<void>;
  /** Mounts it again, after a reboot, say. That it is mounted is no error. */
  mountRootfs(container: ContainerRootfs): Promise<void>;
  /** Whether a mount at the place of a root filesystem is the container's own, and not over it. */
  isRootfs(container: ContainerRootfs, mount: ListedMount): boolean;
  /**
   * Unmounts it. That it is not mounted is no error.
   *
   * @throws {LayerfsError} `busy`, naming the processes that use it
   */
  unmountRootfs(container: ContainerRootfs): Promise<void>;
  /**
   * Where a root filesystem may differ from the tree of its top layer, both of which are mounted: by
   * what the driver knows anyway, without a walk through the two where it can (see
   * layer/tree_changes.ts).
   */
  changedPaths(container: ContainerRootfs): Promise<Candidates>;
  /**
   * Removes it, with the directory `rootfs`. That it is not there, or only in part, is no error.
   *
   * @param claim removes only what was made under this claim: another of the same id stays
   * @throws {LayerfsError} `busy`, with nothing removed
   */
  removeRootfs(container: ContainerRootfs, claim?: string): Promise<void>;
  /**
   * Refuses to have a root filesystem replaced where that would be, or take, more than the
   * container's own: something mounted or made in it, users of it elsewhere. Changes nothing.
   *
   * @throws {LayerfsError} `busy` or `conflict`
   */
  checkReplaceable(container: ContainerRootfs): Promise<void>;
  /**
   * Puts one root filesystem into the place of another one, and the other one aside, by renames
   * alone; neither is mounted. Goes on where an earlier call was killed, and changes nothing once
   * all is done.
   *
   * @param replacement made by {@linkcode createRootfs} under the claim of the same name as `staging`
   */
  replaceRootfs(container: ContainerRootfs, replacement: Replacing): Promise<void>;
  /** The states of the given containers by id, whatever their number in one call. */
  rootfsStates(
    containers: readonly ContainerRootfs[],
  ): Promise<ReadonlyMap<string, RootfsState>>;

  /**
   * Of containers whose root filesystems are not there, those that somebody has given another name:
   * by id, the command that takes it back, for people to run.
   */
  findRenamed(containers: readonly ContainerRootfs[]): Promise<ReadonlyMap<string, string>>;

  /**
   * Frees what a dead process has left under the name of its staging directory: a dataset, a mount.
   * The directory itself is removed by the caller. That there is nothing is no error.
   */
  sweep(staging: string): Promise<void>;
  /** What there is without a place in the store's bookkeeping, for fsck: looks at everything. */
  listStrays(): Promise<Strays>;
  /** The same, and a way to the layers, for gc: in one call of another program. */
  survey(): Promise<Survey>;
  /**
   * Gives a layer whose files were altered those that it was committed with.
   *
   * @returns false where the driver has no others than those: it has to be made anew
   */
  restoreLayer(chainId: Digest): Promise<boolean>;
  /** Makes a broken layer whole, where nothing but bookkeeping is missing; else removes it. */
  repairLayer(chainId: Digest): Promise<void>;
  /** What everything takes, for df; whatever the number of all, in one call of another program each. */
  measure(containers: readonly ContainerRootfs[]): Promise<Measured>;
}

/** What {@linkcode Driver.survey} finds. Whether a layer is whole, it does not look at. */
export interface Survey extends Omit<Strays, "brokenLayers"> {
  /** Lists all layers, in any order, as the bookkeeping has them now. */
  readonly layers: () => Promise<readonly StoredLayer[]>;
}

/** What {@linkcode Driver.measure} finds. */
export interface Measured {
  /** All layers, in any order. */
  readonly layers: readonly StoredLayer[];
  /** Of the containers that were asked for, those that are there, by id. */
  readonly states: ReadonlyMap<string, RootfsState>;
  /** Root filesystems that the driver keeps outside of bundles, in whatever state. */
  readonly strays: readonly ContainerRootfs[];
  /** Of the filesystem or dataset that the store is on. */
  readonly capacity: Capacity;
}

/** A name in the layers' place that is no whole layer. */
export interface BrokenLayer {
  readonly name: string;
  /** For people to read. */
  readonly reason: string;
  /** Whether a kill leaves such: there is nothing of a layer in it. */
  readonly isLitter?: boolean;
}

/** A removed layer that something foreign still uses. */
export interface WaitingLayer {
  /** Name of the staging directory that stands for it. */
  readonly name: string;
  /** Which layer it is and what it waits for, for people to read. */
  readonly detail: string;
}

/** What a driver holds, by the names that LayerFS gave. */
export interface Strays {
  /** Names of staging directories that something of the driver's is left of. */
  readonly staging: readonly string[];
  /** What is not to be swept yet. */
  readonly waiting: readonly WaitingLayer[];
  /** Root filesystems that the driver keeps outside of bundles, in whatever state. */
  readonly containers: readonly ContainerRootfs[];
  /** Names in the layers' place that are no whole layers, and why, for people to read. */
  readonly brokenLayers: readonly BrokenLayer[];
}
