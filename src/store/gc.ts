/**
 * Removal of what nothing needs: layers, blobs, and what dead processes have left.
 *
 * What is needed: the layers and blobs of tagged images, the layers of containers, and layers that
 * are mounted. Work in progress needs no look: gc holds the store's lock exclusively.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { errnoName, storageError } from "../system_error.ts";
import { diskUsage } from "./disk_usage.ts";
import { ImageStore } from "./images.ts";
import { LayerFS } from "./layerfs.ts";
import { stackOf } from "./layer_stack.ts";
import { layerName, type StoredLayer } from "./layer_record.ts";
import { deadStaging } from "./staging.ts";
import type { Store } from "./store.ts";

/** What `gc --json` prints. */
export interface GcResult {
  /** Whether nothing was removed, only found. */
  readonly dryRun: boolean;
  /** ChainIDs of layers, those on top first. */
  readonly layers: readonly Digest[];
  /** Those of them that go once foreign clones of them, or holds on them, have gone. */
  readonly deferred: readonly Digest[];
  readonly blobs: readonly Digest[];
  /** Names of staging directories. */
  readonly staging: readonly string[];
  /** Bytes on disk that all this takes. */
  readonly freedBytes: number;
}

/**
 * Removes what nothing needs.
 *
 * @param store opened exclusively; for a dry run, opened to read
 * @param containerTops ChainIDs of the layers that containers are clones of
 */
export async function collectGarbage(
  store: Store,
  containerTops: Iterable<Digest>,
  dryRun: boolean,
): Promise<GcResult> {
  const images = new ImageStore(store.path);
  const roots = await images.roots();
  if (!roots.complete) {
    throw new LayerfsError(
      "storage",
      `Cannot tell what the images need: ${roots.problems[0]?.detail}; remove the damaged image ` +
        "with layerfs rmi first",
    );
  }
  const layers = await store.driver.listLayers();
  // A root filesystem without a record may hold what somebody wants: fsck gives it one.
  const strays = await store.driver.listStraysBesideLayers();
  const strayTops = strays.containers.flatMap(({ top }) => top ?? []);
  const tops = [...containerTops, ...strayTops];
  if (store.driver.keepsLayers) requireStacks(layers, tops);
  const unused = unusedLayers(layers, [...roots.chainIds, ...tops]);
  const blobs = images.blobs.list().filter(({ digest }) => !roots.blobs.has(digest));
  const staging = await findLitter(store);
  const freedBytes = [...unused, ...blobs].reduce((sum, { bytes }) => sum + bytes, 0) +
    await litterBytes(store, staging);
  const deferred: Digest[] = [];
  if (!dryRun) {
    const layerfs = new LayerFS(store);
    await store.sweep();
    for (const name of staging) await store.driver.sweep(name);
    for (const { chainId } of unused) {
      if (await layerfs.removeLayer(chainId) === "deferred") deferred.push(chainId);
    }
    for (const { digest } of blobs) images.blobs.remove(digest);
    const kept = new Set((await store.driver.listLayers()).map(({ chainId }) => chainId));
    removeRest(`${store.path}/skeletons`, new Set([...kept].map(layerName)));
    removeEmpty(`${store.path}/views`);
    // Of layers whose makers died. Nobody holds one, as nobody else works here.
    removeRest(`${store.path}/locks`, new Set());
  }
  return {
    dryRun,
    layers: unused.map(({ chainId }) => chainId),
    deferred,
    blobs: blobs.map(({ digest }) => digest),
    staging,
    freedBytes,
  };
}

/** A layer whose record is damaged hides those below it, which a container may need all the same. */
function requireStacks(layers: readonly StoredLayer[], tops: readonly Digest[]): void {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  for (const top of tops) {
    const stack = [...stackOf(top, byId)];
    const lowest = stack.at(-1);
    if (lowest?.parent === null) continue;
    const missing = lowest?.parent ?? top;
    throw new LayerfsError(
      "storage",
      `Cannot tell what the containers need: layer ${missing}, which one of them has, is missing ` +
        "or damaged; run layerfs fsck --repair first",
      { chainId: missing },
    );
  }
}

/** Layers that no root needs, those on top before those below them. */
export function unusedLayers(
  layers: readonly StoredLayer[],
  roots: Iterable<Digest>,
): StoredLayer[] {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const used = new Set<Digest>();
  const mounted = layers.filter((layer) => layer.mounted).map(({ chainId }) => chainId);
  for (const root of [...roots, ...mounted]) {
    for (const { chainId } of stackOf(root, byId)) {
      if (used.has(chainId)) break;
      used.add(chainId);
    }
  }
  const depth = depths(layers, byId);
  const unused = layers.filter(({ chainId }) => !used.has(chainId));
  return unused.sort((a, b) => (depth.get(b.chainId) ?? 0) - (depth.get(a.chainId) ?? 0));
}

/** How many layers each is on top of; every layer is looked at once. */
function depths(
  layers: readonly StoredLayer[],
  byId: ReadonlyMap<Digest, StoredLayer>,
): Map<Digest, number> {
  const depth = new Map<Digest, number>();
  for (const { chainId } of layers) {
    const path: Digest[] = [];
    let below = 0;
    for (const layer of stackOf(chainId, byId)) {
      const known = depth.get(layer.chainId);
      if (known !== undefined) {
        below = known + 1;
        break;
      }
      path.push(layer.chainId);
    }
    for (const id of path.reverse()) depth.set(id, below++);
  }
  return depth;
}

/** Names of staging directories of the dead, and of what their drivers have left of others. */
export async function findLitter(store: Store): Promise<string[]> {
  const dead = deadStaging(`${store.path}/staging`);
  const { staging } = await store.driver.listStraysBesideLayers();
  const live = new Set(fs.readdirSync(`${store.path}/staging`));
  const stray = staging.filter((name) => !live.has(name) && !live.has(`${name}.lock`));
  return [...new Set([...dead, ...stray])].sort();
}

async function litterBytes(store: Store, names: readonly string[]): Promise<number> {
  const paths = names.map((name) => `${store.path}/staging/${name}`).filter((path) =>
    fs.existsSync(path)
  );
  const sizes = await diskUsage(paths);
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Removes the files of a directory, but for those that are kept. */
function removeRest(directory: string, kept: ReadonlySet<string>): void {
  for (const name of fs.readdirSync(directory)) {
    if (!kept.has(name)) fs.rmSync(`${directory}/${name}`, { force: true });
  }
}

/** Removes the empty directories in a directory: mount points that nothing is mounted at. */
function removeEmpty(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    try {
      fs.rmdirSync(`${directory}/${name}`);
    } catch (error) {
      if (!["ENOTEMPTY", "EBUSY"].includes(errnoName(error))) {
        throw storageError(error, `Cannot remove "${directory}/${name}"`);
      }
    }
  }
}
