/**
 * Applies layers to a directory, in a worker.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type {
  ApplyJob,
  ApplyResult,
  SentError,
  WorkerMessage,
  WorkerRequest,
} from "./apply_job.ts";
import type { ProgressListener } from "./progress.ts";

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
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const cancel = new Int32Array(new SharedArrayBuffer(4));
  const onAbort = () => Atomics.store(cancel, 0, 1);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
        if (data.type === "done") resolve(data.result);
        else if (data.type === "failed") reject(received(data.error));
        else onProgress(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`worker failed: ${event.message}`));
      };
      worker.postMessage({ job, cancel } satisfies WorkerRequest);
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    worker.terminate();
  }
}

function received(error: SentError): Error {
  if (error.kind === "layerfs") return new LayerfsError(error.code, error.message, error.data);
  if (error.kind === "permission") return new Deno.errors.NotCapable(error.message);
  const other = new Error(error.message);
  other.stack = error.stack;
  return other;
}
