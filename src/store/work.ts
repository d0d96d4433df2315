/**
 * Work on layers: what it is given, and what comes of it.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { LayerSource } from "../layer/layer_source.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { Threads } from "../layer/threads.ts";
import type { Digest } from "../oci/digest.ts";

/** A layer of an image, and its place in the stack. */
export interface StackedBlob extends LayerSource {
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/** How a long work is done. */
export interface Work {
  /** What computes digests. */
  readonly engine: DigestEngine;
  /** Ends the work, which then leaves nothing behind. */
  readonly signal: AbortSignal;
  /** Takes the steps as they come. */
  readonly onProgress: ProgressListener;
  /** Where the threads for layers come from, if some may be started already. */
  readonly threads?: Threads;
}

/** What was done for a stack of layers. */
export interface Provided {
  /** Layers that the store had already, and layers applied now. */
  readonly reused: number;
  readonly applied: number;
  /** Bytes of the blobs read, and of the tar streams in them. */
  readonly compressed: number;
  readonly uncompressed: number;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** Nothing done. */
export const NOTHING_PROVIDED: Provided = {
  reused: 0,
  applied: 0,
  compressed: 0,
  uncompressed: 0,
  warnings: [],
};
