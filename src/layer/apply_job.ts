/**
 * The work of applying layers, and what its worker says of it: plain data, sent between threads.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ErrorCode, ErrorData } from "../errors.ts";
import type { LayerBlob, UnpackResult } from "./unpack.ts";

/** Layers to be applied one after another, the base first. */
export interface ApplyJob {
  /** The root filesystem: an existing directory, empty or with the layers below. Absolute. */
  readonly root: string;
  /** A directory for a spool file. Absolute. */
  readonly scratch: string;
  readonly layers: readonly LayerBlob[];
  readonly engine: DigestEngine;
  /** Whether owners can be set and devices made. */
  readonly asRoot: boolean;
}

/** What the job has done. */
export interface ApplyResult {
  /** One for each layer of the job. */
  readonly layers: readonly UnpackResult[];
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** What starts the worker. `cancel[0]` becomes 1 when the work is to end. */
export interface WorkerRequest {
  readonly job: ApplyJob;
  readonly cancel: Int32Array<SharedArrayBuffer>;
}

/** An error on its way between threads, which keep only an Error's message otherwise. */
export type SentError =
  | { readonly kind: "layerfs"; readonly code: ErrorCode; message: string; data: ErrorData }
  | { readonly kind: "permission"; readonly message: string }
  | { readonly kind: "other"; readonly message: string; readonly stack: string };

/** What the worker says. The last one is "done" or "failed". */
export type WorkerMessage =
  | { readonly type: "bytes"; readonly layer: number; readonly delta: number }
  | { readonly type: "layer"; readonly layer: number }
  | { readonly type: "done"; readonly result: ApplyResult }
  | { readonly type: "failed"; readonly error: SentError };
