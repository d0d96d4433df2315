/**
 * `layerfs df`: what a store takes.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { BlobStore } from "../store/blobs.ts";
import type { Capacity, Measured } from "../store/driver.ts";
import { findUnused } from "../store/gc.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers, rootfsOf } from "./containers.ts";
import { containerTops } from "./gc.ts";

/** A kind of thing that takes space. */
export interface SpaceRow {
  /** How many there are. */
  readonly count: number;
  /** Bytes on disk of all of them; of blobs, their lengths. */
  readonly bytes: number;
  /** Bytes of those that `layerfs gc` would remove; null where damage keeps that from being told. */
  readonly reclaimableBytes: number | null;
}

/** What `df --json` prints. */
export interface StoreSpace {
  /** Blobs of images: manifests, configurations, compressed layers. */
  readonly blobs: SpaceRow;
  /** Layers as trees. */
  readonly layers: SpaceRow;
  /** What containers have changed. */
  readonly containers: SpaceRow;
  /** Of the filesystem or dataset that the store is on; null where there is no store yet. */
  readonly capacity: Capacity | null;
}

const EMPTY: SpaceRow = { count: 0, bytes: 0, reclaimableBytes: 0 };

/** Measures a store. */
export async function storeSpace(
  options: StoreOptions,
  onWarning: (warning: string) => void = () => {},
): Promise<StoreSpace> {
  const store = await Store.read(options);
  if (store === null) return { blobs: EMPTY, layers: EMPTY, containers: EMPTY, capacity: null };
  const containers = allContainers(store.path, ({ message }) => onWarning(message));
  const { layers, states, strays, capacity } = await store.driver.measure(containers.map(rootfsOf));
  const blobs = new BlobStore(store.path).list();
  const unused = await reclaimable(store, { layers, strays }, onWarning);
  const row = (all: readonly { readonly name: string; readonly bytes: number }[]): SpaceRow => ({
    count: all.length,
    bytes: sum(all),
    reclaimableBytes: unused === null ? null : sum(all.filter(({ name }) => unused.has(name))),
  });
  return {
    blobs: row(blobs.map(({ digest, bytes }) => ({ name: digest, bytes }))),
    layers: row(layers.map(({ chainId, bytes }) => ({ name: chainId, bytes }))),
    containers: row([...states].map(([name, { ownBytes }]) => ({ name, bytes: ownBytes }))),
    capacity,
  };
}

/** Digests of what gc would remove; null where that cannot be told. */
async function reclaimable(
  store: Store,
  { layers, strays }: Pick<Measured, "layers" | "strays">,
  onWarning: (warning: string) => void,
): Promise<ReadonlySet<string> | null> {
  try {
    const { unused, blobs } = await findUnused(store, containerTops(store), layers, strays);
    const layerIds = unused.map(({ chainId }) => chainId);
    return new Set([...layerIds, ...blobs.map(({ digest }) => digest)]);
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "storage") throw error;
    onWarning(error.message);
    return null;
  }
}

function sum(rows: readonly { readonly bytes: number }[]): number {
  return rows.reduce((total, { bytes }) => total + bytes, 0);
}
