/**
 * Compares the contents of stored layers with what their images say (`fsck --deep`).
 *
 * @module
 */

import { type LayerVerdict, verifyLayers, type VerifyOptions } from "../layer/verify_layer.ts";
import type { StoredLayer } from "./layer_record.ts";
import { LayerFS } from "./layerfs.ts";
import type { Store } from "./store.ts";

/** Layers whose trees are mounted at a time; four of them are read at once. */
const MOUNTED_AT_ONCE = 16;

/** Differences that a message names. */
const NAMED = 3;

/** A layer that is not, or may not be, what its image says. */
export interface SuspectLayer {
  readonly layer: StoredLayer;
  readonly kind: "altered-layer" | "unverifiable-layer";
  /** For people to read. */
  readonly detail: string;
}

/**
 * Reads all files of layers, and returns those layers that are not as they should be.
 *
 * @param listed what a removal that was killed has left of a listing has no files, and is left out
 */
export async function checkContents(
  store: Store,
  listed: readonly StoredLayer[],
  { engine, signal }: Pick<VerifyOptions, "engine" | "signal">,
): Promise<SuspectLayer[]> {
  const found = await store.driver.findLayers(listed.map(({ chainId }) => chainId));
  const layers = listed.filter(({ chainId }) => found.has(chainId));
  const layerfs = new LayerFS(store);
  const suspects: SuspectLayer[] = [];
  await using staging = store.stage();
  const options = { engine, signal, scratch: staging.path, asRoot: Deno.uid() === 0 };
  for (let at = 0; at < layers.length; at += MOUNTED_AT_ONCE) {
    const batch = layers.slice(at, at + MOUNTED_AT_ONCE);
    const verdicts = await withTrees(layerfs, batch, signal, [], async (roots) => {
      const wanted = batch.map(({ chainId, diffId }, i) => {
        return { diffId, skeletonPath: layerfs.skeletonPath(chainId), root: roots[i] ?? "" };
      });
      return await verifyLayers(wanted, options);
    });
    for (const [i, layer] of batch.entries()) suspects.push(...suspectOf(layer, verdicts[i]));
  }
  return suspects;
}

/** Shows `read` the trees of all layers at once. */
async function withTrees<T>(
  layerfs: LayerFS,
  [layer, ...more]: readonly StoredLayer[],
  signal: AbortSignal,
  roots: readonly string[],
  read: (roots: readonly string[]) => Promise<T>,
): Promise<T> {
  if (layer === undefined) return await read(roots);
  return await layerfs.withTree(
    layer.chainId,
    signal,
    (root) => withTrees(layerfs, more, signal, [...roots, root], read),
  );
}

function suspectOf(layer: StoredLayer, verdict: LayerVerdict | undefined): SuspectLayer[] {
  if (verdict === undefined || verdict.status === "ok") return [];
  if (verdict.status === "unverifiable") {
    return [{ layer, kind: "unverifiable-layer", detail: verdict.reason }];
  }
  const { differences } = verdict;
  const named = differences.slice(0, NAMED).map(({ path, what }) =>
    path === null ? what : `"${path}": ${what}`
  );
  const more = differences.length > NAMED ? `, and ${differences.length - NAMED} more` : "";
  return [{ layer, kind: "altered-layer", detail: named.join("; ") + more }];
}
