/**
 * `layerfs layers`: the layers of a store, and who needs them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { ImageStore } from "../store/images.ts";
import type { StoredLayer } from "../store/layer_record.ts";
import { stackOf } from "../store/layer_stack.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { allContainers } from "./containers.ts";
import { fullName } from "./images.ts";

/** A layer as `layers --json` prints it. */
export interface LayerRow {
  /** Of this layer on top of those below it. */
  readonly chainId: Digest;
  /** Of its uncompressed tar. */
  readonly diffId: Digest;
  /** ChainID of the layer below; null for a base layer. */
  readonly parent: Digest | null;
  /** Bytes on disk that it adds to the layers below it. */
  readonly bytes: number;
  /** Names of the images of the store that have it. */
  readonly images: readonly string[];
  /** Ids of the containers that have it. */
  readonly containers: readonly string[];
}

/** All layers, a layer before those on top of it. */
export async function listLayers(
  options: StoreOptions,
  onWarning: (warning: string) => void = () => {},
): Promise<LayerRow[]> {
  const store = await Store.read(options);
  if (store === null) return [];
  const layers = await store.driver.listLayers();
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const { images, problems } = await new ImageStore(store.path).list();
  for (const { detail } of problems) onWarning(detail);
  const users = {
    images: usersOf(
      byId,
      images.map((image) => [fullName(image), image.layers.at(-1)?.chainId ?? null]),
    ),
    containers: usersOf(
      byId,
      allContainers(store.path, ({ message }) => onWarning(message))
        .map(({ id, record }) => [id, record.top]),
    ),
  };
  return inOrder(layers, byId).map(({ chainId, diffId, parent, bytes }) => ({
    chainId,
    diffId,
    parent,
    bytes,
    images: users.images.get(chainId) ?? [],
    containers: users.containers.get(chainId) ?? [],
  }));
}

/**
 * The layer `chainId` of the store.
 *
 * @throws {LayerfsError} `not-found`
 */
export async function getLayer(options: StoreOptions, chainId: Digest): Promise<LayerRow> {
  const layer = (await listLayers(options)).find((row) => row.chainId === chainId);
  if (layer !== undefined) return layer;
  throw new LayerfsError(
    "not-found",
    `Cannot find layer "${chainId}": the store "${options.store}" has none of that ChainID; see ` +
      "layerfs layers",
    { chainId },
  );
}

/** Names by the layers that each has in its stack. */
function usersOf(
  layers: ReadonlyMap<Digest, StoredLayer>,
  users: readonly (readonly [name: string, top: Digest | null])[],
): Map<Digest, string[]> {
  const names = new Map<Digest, string[]>();
  for (const [name, top] of users) {
    for (const { chainId } of top === null ? [] : stackOf(top, layers)) {
      const known = names.get(chainId);
      if (known === undefined) names.set(chainId, [name]);
      else if (known.at(-1) !== name) known.push(name);
    }
  }
  return names;
}

/** Sorted by ChainID, but each layer behind the one below it. */
function inOrder(
  layers: readonly StoredLayer[],
  byId: ReadonlyMap<Digest, StoredLayer>,
): StoredLayer[] {
  const ordered = new Set<StoredLayer>();
  for (const { chainId } of [...layers].sort((a, b) => a.chainId < b.chainId ? -1 : 1)) {
    const path: StoredLayer[] = [];
    for (const layer of stackOf(chainId, byId)) {
      if (ordered.has(layer)) break;
      path.push(layer);
    }
    for (const layer of path.reverse()) ordered.add(layer);
  }
  return [...ordered];
}
