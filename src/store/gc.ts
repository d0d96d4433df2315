/**
 * Removal of what nothing needs: layers, blobs, and what dead processes have left.
 *
 * What is needed: the layers and blobs of tagged images, the layers of containers, and layers that
 * are mounted. Work in progress needs no look: gc holds the store's lock exclusively.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { exists, namesIn, removeDirectory, removeIfThere } from "../files.ts";
import type { Digest } from "../oci/digest.ts";
import { errnoName, storageError } from "../system_error.ts";
import { diskUsage } from "./disk_usage.ts";
import { BlobStore, type StoredBlob } from "./blobs.ts";
import { readClaim } from "./claim.ts";
import type { ContainerRootfs } from "./driver.ts";
import { ImageStore } from "./images.ts";
import { LayerFS } from "./layerfs.ts";
import { stackOf } from "./layer_stack.ts";
import { layerName, layerOfName, type StoredLayer } from "./layer_record.ts";
import { Refusals } from "./refusals.ts";
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
  /** Digests of blobs. */
  readonly blobs: readonly Digest[];
  /** Names of staging directories. */
  readonly staging: readonly string[];
  /** Bytes on disk that all this takes. */
  readonly freedBytes: number;
}

/** How to collect. */
export interface CollectOptions {
  /** Removes nothing. */
  readonly dryRun: boolean;
  /** Ends the work between two removals. */
  readonly signal: AbortSignal;
}

/**
 * Removes what nothing needs. One that cannot be removed stops no other one: it is thrown at the end.
 *
 * @param store opened exclusively; for a dry run, opened to read
 * @param containerTops ChainIDs of the layers that containers are clones of
 * @throws {LayerfsError} `storage` where it cannot be told what is needed; `busy`, `conflict`,
 * `storage` where something stays, of which the data has all `failures`
 */
export async function collectGarbage(
  store: Store,
  containerTops: Iterable<Digest>,
  { dryRun, signal }: CollectOptions,
): Promise<GcResult> {
  const survey = await store.driver.survey();
  const { staging, containers } = survey;
  const litter = litterOf(store, staging);
  const litterBytes = await bytesOf(store, litter);
  const refusals = new Refusals();
  const swept = dryRun ? litter : await sweepAll(store, staging, litter, refusals);
  const layers = await survey.layers();
  const { unused, blobs } = await findUnused(store, containerTops, layers, containers);
  const deferred = dryRun
    ? []
    : await removeAll(store, layers, { unused, blobs, signal, refusals });
  refusals.throwFirst();
  return {
    dryRun,
    layers: unused.map(({ chainId }) => chainId),
    deferred,
    blobs: blobs.map(({ digest }) => digest),
    staging: swept,
    freedBytes: [...unused, ...blobs].reduce((sum, { bytes }) => sum + bytes, 0) + litterBytes,
  };
}

/** What no image and no container needs. */
export interface Unused {
  /** Those on top before those below them. */
  readonly unused: readonly StoredLayer[];
  readonly blobs: readonly StoredBlob[];
}

/**
 * Finds the layers and blobs that nothing needs.
 *
 * @param layers all there are
 * @param strays root filesystems that may have no record
 * @throws {LayerfsError} `storage` where it cannot be told what is needed
 */
export async function findUnused(
  store: Store,
  containerTops: Iterable<Digest>,
  layers: readonly StoredLayer[],
  strays: readonly ContainerRootfs[],
): Promise<Unused> {
  const images = new ImageStore(store.path);
  const roots = await images.roots();
  if (!roots.complete) {
    throw new LayerfsError(
      "storage",
      `Cannot tell what the images need: ${roots.problems[0]?.detail}; remove the damaged image ` +
        "with layerfs rmi first",
    );
  }
  // A root filesystem without a record may hold what somebody wants: fsck gives it one. And what
  // could not be swept is still there.
  const strayTops = strays.flatMap(({ top }) => top ?? []);
  const tops = [...containerTops, ...strayTops, ...claimedTops(store)];
  if (store.driver.rootfsNeedsLayers) requireStacks(layers, tops);
  return {
    unused: unusedLayers(layers, [...roots.chainIds, ...tops]),
    blobs: images.blobs.list().filter(({ digest }) => !roots.blobs.has(digest)),
  };
}

/** Removes layers and blobs, and the rests of others; returns the layers that go later. */
async function removeAll(
  store: Store,
  layers: readonly StoredLayer[],
  { unused, blobs, signal, refusals }: Unused & {
    readonly signal: AbortSignal;
    readonly refusals: Refusals;
  },
): Promise<Digest[]> {
  const layerfs = new LayerFS(store);
  const stored = new BlobStore(store.path);
  const deferred: Digest[] = [];
  /** Of layers that stay: those below them must. */
  const parents = new Set<Digest | null>();
  for (const { chainId, parent } of unused) {
    if (signal.aborted) throw new LayerfsError("interrupted", "Cannot remove layers: interrupted");
    const isGone = !parents.has(chainId) && await refusals.attempt(`layer ${chainId}`, async () => {
      if (await layerfs.removeLayer(chainId) === "deferred") deferred.push(chainId);
    });
    if (!isGone) parents.add(parent);
  }
  for (const { digest } of blobs) {
    await refusals.attempt(`blob ${digest}`, () => stored.remove(digest));
  }
  removeRest(`${store.path}/skeletons`, await layersOfSkeletons(store, layers, unused));
  removeEmpty(`${store.path}/views`);
  // Of layers whose makers died. Nobody holds one, as nobody else works here.
  removeRest(`${store.path}/locks`, new Set());
  return deferred;
}

/**
 * Names of layers that are there. A listing may lack one, until fsck mends that; and not all that were
 * to be removed have gone. So those with a skeleton are asked for.
 */
async function layersOfSkeletons(
  store: Store,
  layers: readonly StoredLayer[],
  removed: readonly StoredLayer[],
): Promise<Set<string>> {
  const names = new Set(layers.map(({ chainId }) => layerName(chainId)));
  for (const { chainId } of removed) names.delete(layerName(chainId));
  const unlisted = namesIn(`${store.path}/skeletons`).filter((name) => !names.has(name));
  const found = await store.driver.findLayers(unlisted.flatMap((name) => layerOfName(name) ?? []));
  for (const chainId of found.keys()) names.add(layerName(chainId));
  return names;
}

/**
 * Sweeps until nothing more goes: of removed layers, each is litter once the one on top of it has
 * gone. What is in use stays, for a later time.
 *
 * @param staging what the driver has
 * @param litter what of that, and of the store, belongs to the dead
 * @returns the names of what has gone
 */
async function sweepAll(
  store: Store,
  staging: readonly string[],
  litter: readonly string[],
  refusals: Refusals,
): Promise<string[]> {
  if (litter.length === 0) return [];
  await store.sweep();
  for (const name of staging.filter((name) => litter.includes(name))) {
    await refusals.attempt(`litter ${name}`, () => sweepUnused(store, name));
  }
  const { staging: stays } = await store.driver.survey();
  const left = litterOf(store, stays);
  const gone = litter.filter((name) => !left.includes(name));
  return gone.length === 0 ? [] : [...gone, ...await sweepAll(store, stays, left, refusals)];
}

async function sweepUnused(store: Store, name: string): Promise<void> {
  try {
    await store.driver.sweep(name);
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "busy") throw error;
  }
}

/** Tops of containers whose making or removal died and could not be swept. */
export function claimedTops(store: Store): Digest[] {
  return deadStaging(store.staging)
    .flatMap((name) => readClaim(`${store.staging}/${name}`)?.top ?? []);
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

/**
 * Names of staging directories of the dead, and of what their drivers have left of others.
 *
 * @param stray what the driver has
 */
export function litterOf(store: Store, stray: readonly string[]): string[] {
  const dead = deadStaging(store.staging);
  const there = new Set(namesIn(store.staging));
  const lone = stray.filter((name) => !there.has(name) && !there.has(`${name}.lock`));
  return [...new Set([...dead, ...lone])].sort();
}

async function bytesOf(store: Store, names: readonly string[]): Promise<number> {
  const paths = names.map((name) => `${store.staging}/${name}`).filter((path) => exists(path));
  const sizes = await diskUsage(paths);
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Removes the files of a directory, but for those that are kept. */
function removeRest(directory: string, kept: ReadonlySet<string>): void {
  for (const name of namesIn(directory)) {
    if (!kept.has(name)) removeIfThere(`${directory}/${name}`);
  }
}

/** Removes the empty directories in a directory: mount points that nothing is mounted at. */
function removeEmpty(directory: string): void {
  for (const name of namesIn(directory)) {
    try {
      removeDirectory(`${directory}/${name}`);
    } catch (error) {
      if (!["ENOTEMPTY", "EBUSY"].includes(errnoName(error))) {
        throw storageError(error, `Cannot remove "${directory}/${name}"`);
      }
    }
  }
}
