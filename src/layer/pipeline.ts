/**
 * Layers on their way into trees, on every core: one thread reads and decompresses, a second one
 * computes digests, a third one writes. They work on one layer at the same time, and on the next one
 * as far as the rings between them allow; the main thread stays free for signals, progress and the
 * network.
 *
 *     file, stream ─> inflate_worker ──> ring ──┬─> digest_worker
 *                     digest of the blob        └─> write_worker ─> tree
 *
 * Where all layers make one tree, several are in the works at a time, each in a ring of its own: those
 * whose turn it is not yet are unpacked apart, and put on top in their turn (see tree_maker.ts). Then
 * two threads read and decompress, as that takes longest.
 *
 * The digests of blobs in files are the second thread's as well: the more streams it has, the faster
 * is SHA-256 in WebAssembly (see hasher_lanes.ts).
 *
 * @module
 */

import { isLocation } from "../blob/content.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { BELL, type Bell, Board } from "./board.ts";
import { ExtractionQueue } from "./extractor.ts";
import { LayerOutcomes, type Pending, pending } from "./layer_outcomes.ts";
import type { LayerBytes, LayerSource } from "./layer_source.ts";
import {
  type BlobToDigest,
  type DigestMessage,
  type DigestRequest,
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  received,
  type TreeJob,
  type TreeResult,
  type WriteMessage,
  type WriteRequest,
} from "./messages.ts";
import { mayHaveDefaultAcl } from "./new_files.ts";
import type { ProgressListener } from "./progress.ts";
import { createRing, type SharedRing } from "./ring.ts";
import { StreamPump } from "./stream_pump.ts";

/** Tar streams that are in the making at a time: the one being written, and one read ahead. */
const RINGS = 2;

/**
 * The same where layers are unpacked apart: with their blobs, they fill the four lanes of a vector. More
 * measured no faster.
 */
const RINGS_APART = 3;

/**
 * Bytes of a blob from which on its layer is unpacked apart, or tar is asked about access control
 * lists for it: below, there is little to be won.
 */
const WORTH_BYTES = 256 * 1024;

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
  /**
   * Whether layers may be unpacked apart: all must make one tree, without skeletons, and files can be
   * renamed from its scratch directory into its root.
   */
  readonly isOneTree?: boolean;
}

/** What was done for a tree. */
export interface ApplyResult extends TreeResult {
  /** One for each of its layers. */
  readonly layers: readonly LayerBytes[];
}

export class LayerPipeline implements AsyncDisposable {
  readonly #layers: readonly LayerSource[];
  readonly #options: PipelineOptions;
  readonly #board: Board;
  readonly #rings: readonly SharedRing[];
  readonly #workers: Worker[] = [];
  readonly #writer: Worker;
  readonly #pump: StreamPump;
  readonly #extraction = new ExtractionQueue();
  readonly #onAbort = () => this.#cancel();
  readonly #outcomes: LayerOutcomes;
  /** Whether layers may be unpacked apart. */
  readonly #isApart: boolean;
  /** Whether the thread that computes digests does so of blobs as well: it must find them in files. */
  readonly #digestsBlobs: boolean;
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
    this.#board = Board.create(layers.length);
    this.#pump = new StreamPump(this.#board);
    const isLarge = bytesOf(layers) >= LARGE_BYTES;
    this.#digestsBlobs = isLarge && layers.every(({ content }) => isLocation(content));
    const isApart = options.isOneTree === true && this.#digestsBlobs && isWorthIt(layers);
    const readers = isLarge ? [BELL.write, BELL.digest] : [BELL.write];
    const inflaters = isApart ? [BELL.inflate, BELL.inflateToo] : [BELL.inflate];
    this.#rings = layers.slice(0, isApart ? RINGS_APART : RINGS)
      .map((_, ring) => createRing(this.#board, inflaters[ring % inflaters.length]!, readers));
    this.#isApart = isApart;
    this.#outcomes = new LayerOutcomes(
      layers,
      options,
      (layer) => this.#isDigestedElsewhere(layer),
    );
    options.signal.addEventListener("abort", this.#onAbort);
    // First the one that takes longest until it is at work.
    this.#writer = this.#startWriting();
    const toInflate = this.#layersToInflate();
    for (const bell of inflaters) this.#startInflating(bell, toInflate, !isLarge);
    this.#pump.start();
    if (isLarge) this.#startDigesting();
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
      return { skeleton, hasDigest: digest !== null || diffId !== null };
    });
    this.#tree = pending();
    const isPlain = await this.#isPlain(job, this.#layers.slice(first, this.#next));
    this.#writer.postMessage({ type: "tree", job, isPlain, layers } satisfies WriteRequest);
    const outcome = await this.#tree.promise;
    // Whoever is told that the work has ended may take the tree away.
    await this.#extraction.idle;
    if (this.#crash !== null) throw this.#crash;
    if (outcome.type === "failed") {
      const { error, layer } = outcome.error === null && this.#extraction.failure !== null
        ? this.#extraction.failure
        : { error: outcome.error === null ? null : received(outcome.error), layer: outcome.layer };
      // Damage of a layer below tells more than what it has led to.
      await this.#outcomes.verified(first, first + layer);
      throw await this.#outcomes.diagnose(first + layer, error);
    }
    return { ...outcome.result, layers: await this.#outcomes.verified(first, this.#next) };
  }

  /** Whether new files may be plain (see new_files.ts), where it is worth the question. */
  async #isPlain({ asRoot, root, scratch }: TreeJob, layers: readonly LayerSource[]) {
    if (!asRoot || bytesOf(layers) < WORTH_BYTES) return false;
    return !await mayHaveDefaultAcl([root, scratch], this.#options.signal);
  }

  /** Leaves the next layer out: somebody else has applied it. */
  skip(): void {
    this.#board.drop(this.#next++);
    this.#writer.postMessage({ type: "skip" } satisfies WriteRequest);
  }

  /** Ends all threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#cancel();
    await Promise.all([this.#pump.ended, this.#extraction.idle]);
    for (const worker of this.#workers) worker.terminate();
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#outcomes.reject(new LayerfsError("interrupted", "interrupted")); // who ends says no more
    this.#board.cancel();
    this.#pump.cancel();
    this.#extraction.cancel();
  }

  /** @param isAlone whether the thread computes the diffIDs as well */
  #startInflating(bell: Bell, layers: readonly InflateLayer[], isAlone: boolean): void {
    const worker = new Worker(new URL("./inflate_worker.ts", import.meta.url), { type: "module" });
    this.#watch(worker, (message: InflateMessage) => {
      const outcome = this.#outcomes.of(message);
      if (message.type === "bytes") {
        const delta = this.#outcomes.addBytes(message, message.delta);
        if (delta > 0) this.#options.onProgress({ type: "bytes", layer: message.layer, delta });
      } else if (message.type === "read") {
        outcome.read.resolve(message.result);
        if (isAlone) outcome.tarDigest.resolve(message.diffId);
      } else outcome.read.reject(this.#inputError(message.layer, message.error));
    });
    const request = {
      board: this.#board.shared,
      bell,
      layers,
      rings: this.#rings.filter(({ writer }) => writer === bell),
      apartFrom: this.#isApart ? WORTH_BYTES : null,
      engine: this.#options.engine,
      isAlone,
    };
    worker.postMessage(request satisfies InflateRequest);
  }

  #layersToInflate(): InflateLayer[] {
    return this.#layers.map((layer, index) => {
      const { content, digest, size, diffId } = layer;
      const blob = isLocation(content)
        ? content
        : { ring: this.#pump.add(index, content), length: content.length };
      return { blob, digest, size, diffId, isDigestedElsewhere: this.#isDigestedElsewhere(layer) };
    });
  }

  #inputError(layer: number, error: Parameters<typeof received>[0] | null): Error {
    if (error !== null) return received(error);
    return this.#pump.errorOf(layer) ?? new LayerfsError("interrupted", "interrupted");
  }

  #startDigesting(): void {
    const worker = new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
    this.#watch(worker, (message: DigestMessage) => {
      if (message.of === "tar") this.#outcomes.of(message).tarDigest.resolve(message.digest);
      else {
        const pending = this.#outcomes.blobDigest(message.layer);
        if ("digest" in message) pending.resolve(message.digest);
        else pending.reject(received(message.error));
      }
    });
    const request = {
      board: this.#board.shared,
      rings: this.#rings,
      algorithms: this.#layers.map(({ diffId }) =>
        diffId === null ? null : digestAlgorithm(diffId)
      ),
      blobs: this.#blobsToDigest(),
      engine: this.#options.engine,
    };
    worker.postMessage(request satisfies DigestRequest);
  }

  /** Those that are wanted first come first: a stored layer waits for its own, one tree for all. */
  #blobsToDigest(): BlobToDigest[] {
    const blobs = this.#layers.flatMap((layer, index): BlobToDigest[] => {
      const { content, digest } = layer;
      const isWanted = digest !== null && isLocation(content) && this.#isDigestedElsewhere(layer);
      if (!isWanted) return [];
      return [{ layer: index, blob: content, algorithm: digestAlgorithm(digest) }];
    });
    if (!this.#isApart) return blobs;
    return blobs.sort((one, other) => other.blob.length - one.blob.length);
  }

  /** Whether the thread that computes digests does so of a blob as well, beside the tar streams. */
  #isDigestedElsewhere({ digest, diffId }: LayerSource): boolean {
    return this.#digestsBlobs && digest !== null && diffId !== null && digest !== diffId;
  }

  #startWriting(): Worker {
    const worker = new Worker(new URL("./write_worker.ts", import.meta.url), { type: "module" });
    this.#watch(worker, (message: WriteMessage) => {
      if (message.type === "extract") this.#extraction.add(message.spool);
      else if (message.type === "again") this.#outcomes.countSecond(message.layer);
      else if (message.type === "layer") this.#options.onProgress(message);
      else this.#tree?.resolve(message);
    });
    const { outcome } = this.#extraction;
    const setup = {
      board: this.#board.shared,
      rings: this.#rings,
      outcome,
      isApart: this.#isApart,
    };
    worker.postMessage({ type: "begin", ...setup } satisfies WriteRequest);
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
        this.#outcomes.reject(this.#crash);
        this.#cancel();
      }
      // The thread that writes says itself when it has ended, unless it is the one that is dead.
      if (worker === this.#writer) this.#tree?.resolve({ type: "failed", layer: 0, error: null });
    };
  }
}

/** Bytes of the blobs of some layers. */
function bytesOf(layers: readonly LayerSource[]): number {
  return layers.reduce((sum, { content }) => sum + content.length, 0);
}

/** Whether there is a layer behind the first that is large enough to be unpacked apart. */
function isWorthIt(layers: readonly LayerSource[]): boolean {
  return layers.slice(1).some(({ content }) => content.length >= WORTH_BYTES);
}
