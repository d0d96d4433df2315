/**
 * Applies layers to a directory.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import { namesIn, removeAll, removeDirectory } from "../files.ts";
import { errnoName } from "../system_error.ts";
import type { LayerSource } from "./layer_source.ts";
import type { TreeJob } from "./messages.ts";
import { type ApplyResult, LayerPipeline } from "./pipeline.ts";
import type { ProgressListener } from "./progress.ts";
import type { Threads } from "./threads.ts";

/** Layers that make one tree together. */
export interface ApplyJob extends TreeJob {
  /** The base first. */
  readonly layers: readonly LayerSource[];
  /** For each layer, a new file for its skeleton (see skeleton.ts), absolute; null for none. */
  readonly skeletons?: readonly (string | null)[];
  readonly engine: DigestEngine;
  /** Where the threads come from, if some may be started already. */
  readonly threads?: Threads;
}

/**
 * Applies the layers of `job`, the base first, each verified while it is written.
 *
 * @param signal ends the work after the piece in hand; the tree is then as incomplete as it is
 * @param onProgress takes the steps "bytes" and "layer"
 * @throws {LayerfsError} what is wrong with a layer, naming layer and entry, or `interrupted`
 */
export async function applyLayers(
  job: ApplyJob,
  signal: AbortSignal,
  onProgress: ProgressListener,
): Promise<ApplyResult> {
  const { layers, skeletons, engine, threads, ...tree } = job;
  await using pipeline = new LayerPipeline(layers, {
    engine,
    signal,
    onProgress,
    positions: layers.map((_, layer) => layer),
    total: layers.length,
    ...(threads === undefined ? {} : { threads }),
    ...(skeletons === undefined && layers.length > 1 && isPlace(tree)
      ? { apart: apartIn(tree) }
      : {}),
  });
  return await pipeline.makeTree(tree, skeletons ?? layers.map(() => null));
}

function apartIn({ scratch, asRoot }: TreeJob) {
  return { scratch, asRoot, hasSkeletons: false, isOneTree: true };
}

/**
 * Whether no layer is in the root, so that nothing of it tells that we were there, and files can be
 * renamed into it from the scratch directory.
 */
function isPlace({ root, scratch, onTop }: TreeJob): boolean {
  if (onTop === true || namesIn(root).length > 0) return false;
  const name = "rename-probe";
  try {
    Deno.mkdirSync(`${scratch}/${name}`);
    Deno.renameSync(`${scratch}/${name}`, `${root}/${name}`);
    removeDirectory(`${root}/${name}`);
    return true;
  } catch (error) {
    if (errnoName(error) === "") throw error;
    removeAll(`${scratch}/${name}`);
    return false;
  }
}
