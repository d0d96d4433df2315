/**
 * Layers on their way into trees, on every core: one thread reads, verifies and decompresses, a
 * second one computes the diffIDs, a third one writes. They work on one layer at the same time, and
 * on the next ones as far as the rings between them allow; the main thread stays free for signals,
 * progress and the network.
 *
 *     file, stream ─> inflate_worker ──> ring ──┬─> digest_worker
 *                     digest of the blob        └─> write_worker ─> tree
 *
 * @module
 */

import { isLocation } from "../blob/content.ts";
import { withOrigin } from "../blob/origin.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError, within } from "../errors.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { ExtractionQueue } from "./extractor.ts";
import type { LayerBytes, LayerSource } from "./layer_source.ts";
import {
  type DigestMessage,
  type DigestRequest,
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  isAboutContent,
  isInterruption,
  received,
  type TreeJob,
  type TreeResult,
  type WriteMessage,
  type WriteRequest,
} from "./messages.ts";
import type { ProgressListener } from "./progress.ts";
import { mismatch, type ReadResult } from "./read_layer.ts";
import { cancelRing, createRing, dropStream, type SharedRing } from "./ring.ts";
import { StreamPump } from "./stream_pump.ts";

/** Tar streams that are in the making at a time: the one being written, and one read ahead. */
const RINGS = 2;

/**
 * Bytes of blobs from which on a thread of their own computes the diffIDs: below, it takes longer to
 * start than it saves (measured).
 */
const LARGE_BYTES = 4 * 1024 * 1024;

/** How layers are applied. */
export interface PipelineOptions {
  readonly engine: DigestEngine;
  /** Ends the work after the piece in hand; a tree is then as incomplete as it is. */
  readonly signal: AbortSignal;
  /** Takes the steps "bytes" and "layer". */
  readonly onProgress: ProgressListener;
  /** Where each of the layers is in its image, for messages: from 0. */
  readonly positions: readonly number[];
  /** Layers that the image has. */
  readonly total: number;
}

/** What was done for a tree. */
export interface ApplyResult extends TreeResult {
  /** One for each of its layers. */
  readonly layers: readonly LayerBytes[];
}

type Pending<T> = ReturnType<typeof Promise.withResolvers<T>>;

export class LayerPipeline implements AsyncDisposable {
  readonly #layers: readonly LayerSource[];
  readonly #options: PipelineOptions;
  readonly #rings: readonly SharedRing[];
  readonly #workers: Worker[] = [];
  readonly #writer: Worker;
  readonly #pump = new StreamPump();
  readonly #extraction = new ExtractionQueue();
  readonly #onAbort = () => this.#cancel();
  readonly #reads: readonly Pending<ReadResult | null>[];
  readonly #digests: readonly Pending<Digest | null>[];
  /** The layer that comes next, and the first one of the tree in hand. */
  #next = 0;
  #first = 0;
  /** What the writing thread says of the tree in hand. */
  #tree: Pending<Extract<WriteMessage, { type: "done" | "failed" }>> | null = null;
  #isCancelled = false;
  /** How one of the threads has died. */
  #crash: Error | null = null;

  /** Begins to read the layers ahead. @param layers in the order in which they will be applied */
  constructor(layers: readonly LayerSource[], options: PipelineOptions) {
    this.#layers = layers;
    this.#options = options;
    const bytes = layers.reduce((sum, { content }) => sum + content.length, 0);
    const isLarge = bytes >= LARGE_BYTES;
    this.#rings = layers.slice(0, RINGS).map(() => createRing(isLarge ? 2 : 1));
    this.#reads = layers.map(() => pending());
    this.#digests = layers.map(() => pending());
    options.signal.addEventListener("abort", this.#onAbort);
    this.#startInflating(!isLarge);
    if (isLarge) this.#startDigesting();
    this.#writer = this.#startWriting();
    if (options.signal.aborted) this.#cancel();
  }

  /**
   * Makes a tree of the next layers, the base first, each verified while it is written.
   *
   * @param skeletons for each layer a new file for its skeleton, absolute; null for none
   * @throws {LayerfsError} what is wrong with a layer, naming layer and entry, or `interrupted`
   */
  async makeTree(job: TreeJob, skeletons: readonly (string | null)[]): Promise<ApplyResult> {
    const first = this.#next;
    this.#first = first;
    this.#next += skeletons.length;
    const layers = skeletons.map((skeleton, i) => {
      const { digest, diffId } = this.#layers[first + i]!;
      const hasDigest = digest !== null || diffId !== null;
      return { ring: this.#ring(first + i), skeleton, hasDigest };
    });
    this.#tree = pending();
    this.#writer.postMessage({ type: "tree", job, layers } satisfies WriteRequest);
    const outcome = await this.#tree.promise;
    // Whoever is told that the work has ended may take the tree away.
    await this.#extraction.idle;
    if (this.#crash !== null) throw this.#crash;
    if (outcome.type === "failed") {
      const { error, layer } = outcome.error === null && this.#extraction.failure !== null
        ? this.#extraction.failure
        : { error: outcome.error === null ? null : received(outcome.error), layer: outcome.layer };
      throw await this.#diagnose(first + layer, error);
    }
    const read: LayerBytes[] = [];
    for (let layer = first; layer < this.#next; layer++) read.push(await this.#verified(layer));
    return { ...outcome.result, layers: read };
  }

  /** Leaves the next layer out: somebody else has applied it. */
  skip(): void {
    const layer = this.#next++;
    dropStream(this.#ring(layer), this.#streamOf(layer));
    this.#writer.postMessage({ type: "skip", ring: this.#ring(layer) } satisfies WriteRequest);
  }

  /** Ends all threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#cancel();
    await Promise.all([this.#pump.ended, this.#extraction.idle]);
    for (const worker of this.#workers) worker.terminate();
  }

  #ring(layer: number): SharedRing {
    return this.#rings[layer % RINGS]!;
  }

  /** Number of a layer's stream among those of its ring. */
  #streamOf(layer: number): number {
    return Math.floor(layer / RINGS);
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#rejectAll(new LayerfsError("interrupted", "interrupted")); // who ends says no more
    for (const ring of this.#rings) cancelRing(ring);
    this.#pump.cancel();
    this.#extraction.cancel();
  }

  /** @param isAlone whether the thread computes the diffIDs as well */
  #startInflating(isAlone: boolean): void {
    const worker = new Worker(new URL("./inflate_worker.ts", import.meta.url), { type: "module" });
    this.#watch(worker, (message: InflateMessage) => {
      if (message.type === "bytes") this.#options.onProgress(message);
      else if (message.type === "read") {
        this.#reads[message.layer]!.resolve(message.result);
        if (isAlone) this.#digests[message.layer]!.resolve(message.diffId);
      } else this.#reads[message.layer]!.reject(this.#inputError(message.layer, message.error));
    });
    const layers = this.#layers.map((layer, index): InflateLayer => {
      const { content, digest, size, diffId } = layer;
      const blob = isLocation(content)
        ? content
        : { ring: this.#pump.add(index, content), length: content.length };
      return { blob, digest, size, diffId, ring: this.#ring(index) };
    });
    const { engine } = this.#options;
    worker.postMessage({ layers, engine, isAlone } satisfies InflateRequest);
    this.#pump.start();
  }

  #inputError(layer: number, error: Parameters<typeof received>[0] | null): Error {
    if (error !== null) return received(error);
    return this.#pump.errorOf(layer) ?? new LayerfsError("interrupted", "interrupted");
  }

  #startDigesting(): void {
    const worker = new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
    this.#watch(
      worker,
      ({ layer, digest }: DigestMessage) => this.#digests[layer]!.resolve(digest),
    );
    const layers = this.#layers.map(({ diffId }, index) => ({
      ring: this.#ring(index),
      algorithm: diffId === null ? null : digestAlgorithm(diffId),
    }));
    worker.postMessage({ layers, engine: this.#options.engine } satisfies DigestRequest);
  }

  #startWriting(): Worker {
    const worker = new Worker(new URL("./write_worker.ts", import.meta.url), { type: "module" });
    this.#watch(worker, (message: WriteMessage) => {
      if (message.type === "extract") this.#extraction.add(message.spool);
      else if (message.type !== "layer") this.#tree?.resolve(message);
      else this.#options.onProgress({ type: "layer", layer: this.#first + message.layer });
    });
    const { outcome } = this.#extraction;
    worker.postMessage({ type: "begin", outcome } satisfies WriteRequest);
    return worker;
  }

  /** Takes what a thread says, and how it dies. */
  #watch<T>(worker: Worker, onMessage: (message: T) => void): void {
    this.#workers.push(worker);
    worker.onmessage = ({ data }: MessageEvent<T>) => onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (!this.#isCancelled) {
        this.#crash = new Error(`worker failed: ${event.message}`);
        this.#rejectAll(this.#crash);
        this.#cancel();
      }
      // The thread that writes says itself when it has ended, unless it is the one that is dead.
      if (worker === this.#writer) this.#tree?.resolve({ type: "failed", layer: 0, error: null });
    };
  }

  #rejectAll(error: Error): void {
    for (const one of [...this.#reads, ...this.#digests]) one.reject(error);
  }

  /** What was read for a layer that is in its tree, once its diffID is found to be right. */
  async #verified(layer: number): Promise<LayerBytes> {
    const { diffId } = this.#layers[layer]!;
    const { compressed, uncompressed } = (await this.#reads[layer]!.promise)!;
    const found = diffId === null ? null : await this.#digests[layer]!.promise;
    if (diffId !== null && found !== null && found !== diffId) {
      throw this.#label(mismatch("diffID", found, diffId), layer);
    }
    return { compressed, uncompressed };
  }

  /**
   * The error to tell of, where a layer could not be written.
   *
   * @param error null where its stream was broken
   */
  async #diagnose(layer: number, error: Error | null): Promise<unknown> {
    if (error !== null && !isAboutContent(error)) return this.#label(error, layer);
    try {
      // A damaged blob is reported by its digest, whatever else its damage has led to.
      const read = await this.#reads[layer]!.promise;
      const { digest, diffId } = this.#layers[layer]!;
      const announced = digest ?? diffId;
      if (read?.compression === "none" && !read.verified && announced !== null) {
        const found = diffId === null ? null : await this.#digests[layer]!.promise;
        if (found !== null && found !== announced) error = mismatch("digest", found, announced);
      }
      return this.#label(error, layer);
    } catch (cause) {
      return this.#label(error !== null && isAboutContent(cause) ? error : cause, layer);
    }
  }

  #label(error: unknown, index: number): unknown {
    if (isInterruption(error)) return error;
    const { content, digest, diffId } = this.#layers[index]!;
    const { positions, total } = this.#options;
    const layer = positions[index]! + 1;
    const named = digest ?? diffId ?? "of a file";
    return within(withOrigin(error, content), `Cannot apply layer ${layer} of ${total}, ${named}`, {
      layer,
      digest: named,
    });
  }
}

/** A promise that nobody may ever look at. */
function pending<T>(): Pending<T> {
  const all = Promise.withResolvers<T>();
  all.promise.catch(() => {});
  return all;
}
