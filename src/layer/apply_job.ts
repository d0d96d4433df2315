/**
 * The work of applying layers, and what its worker says of it: plain data, sent between threads.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ErrorCode, ErrorData } from "../errors.ts";
import type { Traits } from "./traits.ts";
import type { LayerBlob, UnpackResult } from "./unpack.ts";

/** Layers to be applied one after another, the base first. */
export interface ApplyJob {
  /** The root filesystem: an existing directory, empty or with the layers below. Absolute. */
  readonly root: string;
  /** A directory for a spool file. Absolute. */
  readonly scratch: string;
  readonly layers: readonly LayerBlob[];
  /** For each layer, a new file for its skeleton (see skeleton.ts), absolute; null for none. */
  readonly skeletons?: readonly (string | null)[];
  /** Where they are in their image, for messages; they are all of it where this is absent. */
  readonly position?: { readonly first: number; readonly total: number };
  readonly engine: DigestEngine;
  /** Whether owners can be set and devices made. */
  readonly asRoot: boolean;
  /** Of the layers in the root already; NO_TRAITS where there are none. */
  readonly traits: Traits;
  /**
   * Whether there are layers in the root already. Where it is absent, whether there is anything: so
   * only layers that left the root empty need it, for that to keep its attributes.
   */
  readonly onTop?: boolean;
}

/** What the job has done. */
export interface ApplyResult {
  /** One for each layer of the job. */
  readonly layers: readonly UnpackResult[];
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
  /** Of all layers that are in the root now. */
  readonly traits: Traits;
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
