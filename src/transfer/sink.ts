/**
 * Where images go.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { BlobCount } from "../store/stored_image.ts";
import type { ImageGraph } from "./graph.ts";

/** How an image is copied. */
export interface TransferWork {
  /** What computes digests. */
  readonly engine: DigestEngine;
  /** Ends the work; whole blobs stay for the next try, and nothing else. */
  readonly signal?: AbortSignal;
  /** Takes the steps as they come. */
  readonly onProgress?: ProgressListener;
}

/** What a copy did. Documents (manifests, indexes) are blobs here too. */
export interface Transfer {
  /** What was written. */
  readonly copied: BlobCount;
  /** What was there already. */
  readonly reused: BlobCount;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** A place that takes images. */
export interface ImageSink {
  /** As messages name it. */
  readonly reference: string;
  /**
   * Writes an image: blobs first, then what points at them, the name last, so that the name never
   * means less than the whole image. Every byte is verified by its digest in the pass that writes
   * it.
   *
   * @throws {LayerfsError} what is wrong with the image or the place; a place that takes blobs one
   * by one keeps the whole ones
   */
  write(graph: ImageGraph, work: TransferWork): Promise<Transfer>;
}
