/**
 * The thread that applies layers: it reads, digests, decompresses and writes with synchronous calls,
 * while the main thread stays free for signals and progress.
 *
 * @module
 */

import { LayerfsError, printable, within } from "../errors.ts";
import { LayerApplier } from "./apply.ts";
import type {
  ApplyJob,
  ApplyResult,
  SentError,
  WorkerMessage,
  WorkerRequest,
} from "./apply_job.ts";
import { unpackWithSkeleton } from "./skeleton.ts";
import { Tree } from "./tree.ts";
import type { UnpackResult } from "./unpack.ts";

/** Warnings that are kept: a layer may have a hundred thousand entries with the same complaint. */
const MAX_WARNINGS = 100;

declare const self: {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(message: WorkerMessage): void;
};

self.onmessage = ({ data: { job, cancel } }) => {
  try {
    self.postMessage({ type: "done", result: apply(job, () => Atomics.load(cancel, 0) === 1) });
  } catch (error) {
    self.postMessage({ type: "failed", error: sendable(error) });
  }
};

function apply(job: ApplyJob, isCancelled: () => boolean): ApplyResult {
  const warnings: string[] = [];
  const base = { traits: job.traits, hasLayers: job.onTop };
  const tree = new Tree(job.root, job.scratch, job.asRoot, base);
  try {
    const layers = job.layers.map((_, layer) =>
      applyLayer(job, layer, tree, warnings, isCancelled)
    );
    const traits = tree.finish();
    warnings.push(...tree.special.warnings);
    return { layers, warnings: capped(warnings), traits };
  } finally {
    tree.special.close();
  }
}

function applyLayer(
  job: ApplyJob,
  layer: number,
  tree: Tree,
  warnings: string[],
  isCancelled: () => boolean,
): UnpackResult {
  const blob = job.layers[layer]!;
  try {
    const result = unpackWithSkeleton(
      blob,
      (scanner) => new LayerApplier(tree, scanner, (warning) => warnings.push(warning)),
      {
        engine: job.engine,
        onBytes: (delta) => self.postMessage({ type: "bytes", layer, delta }),
        isCancelled,
      },
      job.skeletons?.[layer] ?? null,
    );
    tree.special.flush();
    self.postMessage({ type: "layer", layer });
    return result;
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "interrupted") throw error;
    const digest = blob.digest ?? blob.diffId ?? blob.location.path;
    const { first, total } = job.position ?? { first: 0, total: job.layers.length };
    const what = `Cannot apply layer ${first + layer + 1} of ${total}, ${digest}`;
    throw within(error, what, { layer: first + layer + 1, digest });
  }
}

function capped(warnings: string[]): string[] {
  const more = warnings.length - MAX_WARNINGS;
  const kept = warnings.slice(0, MAX_WARNINGS).map(printable);
  return more > 0 ? [...kept, `and ${more} more of the kind`] : kept;
}

function sendable(error: unknown): SentError {
  if (error instanceof LayerfsError) {
    const { code, message, data } = error;
    return { kind: "layerfs", code, message, data };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof Deno.errors.NotCapable) return { kind: "permission", message };
  return { kind: "other", message, stack: stack ?? "" };
}
