/**
 * Layers on their way into trees, on every core: one thread reads and decompresses, a second one
 * computes digests, a third one writes. They work on one layer at the same time, and on the next one
 * as far as the rings between them allow; the main thread stays free for signals, progress and the
 * network.
 *
 *     file, stream ─> inflate_worker ──> ring ──┬─> digest_worker
 *                     digest of the blob        └─> write_worker ─> tree
 *
 * Where layers may be unpacked apart, several are in the works at a time, each in a ring of its own:
 * those whose turn it is not yet are unpacked into directories of their own, and put on top in their
 * turn (see layer_streams.ts). Where they make one tree, two threads read and decompress, as that takes
 * longest.
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
import { type Bell, Board } from "./board.ts";
import { ExtractionQueue } from "./extractor.ts";
import { LayerOutcomes, type Pending, pending } from "./layer_outcomes.ts";
import type { LayerBytes, LayerSource } from "./layer_source.ts";
import {
  type ApartOptions,
  type BlobToDigest,
  type DigestMessage,
  type DigestRequest,
  type InflateLayer,
  type InflateMessage,
  type InflateRequest,
  type OwnFiles,
  received,
  type TreeJob,
  type TreeResult,
  type WriteMessage,
  type WriteRequest,
} from "./messages.ts";
import { mayHaveDefaultAcl } from "./new_files.ts";
import { bytesOf, isWorthIt, PipelinePlan, WORTH_BYTES } from "./pipeline_plan.ts";
import type { ProgressListener } from "./progress.ts";
import type { SharedRing } from "./ring.ts";
import { StreamPump } from "./stream_pump.ts";
import { type ThreadKind, Threads } from "./threads.ts";

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
   * Where layers may be unpacked apart: those that are allowed to be, or all where they make one tree.
   * Whoever makes the trees must be able to put them on top by renames.
   */
  readonly apart?: ApartOptions;
  /** Where its threads come from; none of them is started yet where it is absent. */
  readonly threads?: Threads;
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
  /** Where the rings lie, if that is where they are digested. */
  readonly #memory: WebAssembly.Memory | null;
  readonly #rings: readonly SharedRing[];
  readonly #threads: Threads;
  readonly #workers: Worker[] = [];
  readonly #writer: Worker;
  readonly #pump: StreamPump;
  readonly #extraction = new ExtractionQueue();
  readonly #onAbort = () => this.#cancel();
  readonly #outcomes: LayerOutcomes;
  readonly #plan: PipelinePlan;
  /** The layer that comes next. */
  #next = 0;
  /** What the thread that writes says of a layer's own files. */
  #own: Pending<OwnFiles | null> | null = null;
  /** What it says of the tree in hand. */
  #tree: Pending<Extract<WriteMessage, { type: "done" | "failed" }>> | null = null;
  /** Settled when that thread does nothing any more. */
  readonly #ended = pending<void>();
  #isCancelled = false;
  /** How one of the threads has died. */
  #crash: Error | null = null;

  /** Begins to read the layers ahead. @param layers in the order in which they will be applied */
  constructor(layers: readonly LayerSource[], options: PipelineOptions) {
    this.#layers = layers;
    this.#options = options;
    this.#threads = options.threads ?? new Threads();
    this.#board = Board.create(layers.length);
    this.#pump = new StreamPump(this.#board);
    const plan = new PipelinePlan(layers, options.apart ?? null);
    this.#plan = plan;
    this.#memory = plan.createMemory(options.engine);
    this.#rings = plan.createRings(this.#board, this.#memory);
    if (plan.apart?.isOneTree) this.allowApart(() => true);
    this.#outcomes = new LayerOutcomes(
      layers,
      options,
      (layer) => plan.isDigestedElsewhere(layer),
    );
    options.signal.addEventListener("abort", this.#onAbort);
    // First the one that takes longest until it is at work.
    this.#writer = this.#startWriting();
    const toInflate = this.#layersToInflate();
    for (const bell of plan.inflaters) this.#startInflating(bell, toInflate);
    this.#pump.start();
    if (plan.isDigesting) this.#startDigesting();
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
    this.#next += skeletons.length;
    const layers = skeletons.map((skeleton, i) => {
      const { digest, diffId } = this.#layers[first + i]!;
      return { skeleton, hasDigest: digest !== null || diffId !== null };
    });
    const isPlain = await this.#isPlain(job, this.#layers.slice(first, this.#next));
    if (this.#crash !== null) throw this.#crash;
    this.#tree = pending();
    this.#ask({ type: "tree", job, isPlain, layers });
    const outcome = await this.#tree.promise;
    if (this.#crash !== null) throw this.#crash;
    if (outcome.type === "failed") {
      // Whoever is told that the work has ended may take the tree away.
      await this.#extraction.idle;
      const { error, layer } = outcome.error === null && this.#extraction.failure !== null
        ? this.#extraction.failure
        : { error: outcome.error === null ? null : received(outcome.error), layer: outcome.layer };
      // Damage of a layer below tells more than what it has led to. Those behind the one in hand may
      // never be read.
      await this.#outcomes.verified(first, Math.min(layer, outcome.layer));
      throw await this.#outcomes.diagnose(layer, error);
    }
    return { ...outcome.result, layers: await this.#outcomes.verified(first, this.#next) };
  }

  /** Whether new files may be plain (see new_files.ts), where it is worth the question. */
  async #isPlain({ asRoot, root, scratch, own }: TreeJob, layers: readonly LayerSource[]) {
    if (!asRoot || own !== undefined) return false;
    // What the first tree says of new files holds for those that are unpacked apart, too.
    const others = this.#tree === null ? this.#plan.apart : null;
    if (others === null && bytesOf(layers) < WORTH_BYTES) return false;
    const places = others === null ? [root, scratch] : [root, scratch, others.scratch];
    return !await mayHaveDefaultAcl(places, this.#options.signal);
  }

  /** Whether layers may be unpacked apart. */
  get isApart(): boolean {
    return this.#plan.apart !== null;
  }

  /** Allows some to be unpacked apart, where it is worth it. @param mayBe called with their numbers */
  allowApart(mayBe: (layer: number) => boolean): void {
    if (!this.isApart) return;
    for (const [layer, source] of this.#layers.entries()) {
      if (isWorthIt(source) && mayBe(layer)) this.#board.allowApart(layer);
    }
  }

  /**
   * What the next layer consists of, where it is unpacked apart and can stay so, for an overlay to be
   * made of: null where it is to be applied in its turn. The files are the caller's then.
   *
   * @param follows as in {@linkcode TreeJob}: on other layers than those below, it cannot stay apart
   */
  async ownFiles(follows: boolean): Promise<OwnFiles | null> {
    if (!this.isApart || this.#crash !== null) return null;
    this.#own = pending();
    this.#ask({ type: "own", follows });
    return await this.#own.promise;
  }

  /** Leaves the next layer out: somebody else has applied it. */
  skip(): void {
    this.#board.drop(this.#next++);
    this.#ask({ type: "skip" });
  }

  #ask(request: WriteRequest): void {
    this.#writer.postMessage(request);
    this.#board.call();
  }

  /** Ends all threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#cancel();
    // Termination does not stop a thread that is at work, and whoever is told that the work has ended
    // may take away what this one writes to.
    this.#ask({ type: "end" });
    await this.#ended.promise;
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

  #startInflating(bell: Bell, layers: readonly InflateLayer[]): void {
    const isAlone = !this.#plan.isDigesting;
    const worker = this.#start("inflate", (message: InflateMessage) => {
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
      isApart: this.isApart,
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
      return {
        blob,
        digest,
        size,
        diffId,
        isDigestedElsewhere: this.#plan.isDigestedElsewhere(layer),
      };
    });
  }

  #inputError(layer: number, error: Parameters<typeof received>[0] | null): Error {
    if (error !== null) return received(error);
    return this.#pump.errorOf(layer) ?? new LayerfsError("interrupted", "interrupted");
  }

  #startDigesting(): void {
    const worker = this.#start("digest", (message: DigestMessage) => {
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
      algorithms: this.#layers.map(({ diffId }) => diffId && digestAlgorithm(diffId)),
      blobs: this.#blobsToDigest(),
      engine: this.#options.engine,
      memory: this.#memory,
    };
    worker.postMessage(request satisfies DigestRequest);
  }

  /** Those that are wanted first come first: a stored layer waits for its own, one tree for all. */
  #blobsToDigest(): BlobToDigest[] {
    const blobs = this.#layers.flatMap((layer, index): BlobToDigest[] => {
      const { content, digest } = layer;
      const isWanted = digest !== null && isLocation(content) &&
        this.#plan.isDigestedElsewhere(layer);
      if (!isWanted) return [];
      return [{ layer: index, blob: content, algorithm: digestAlgorithm(digest) }];
    });
    if (!this.#plan.apart?.isOneTree) return blobs;
    return blobs.sort((one, other) => other.blob.length - one.blob.length);
  }

  #startWriting(): Worker {
    const worker = this.#start("write", (message: WriteMessage) => {
      if (message.type === "extract") this.#extraction.add(message.spool);
      else if (message.type === "again") this.#outcomes.countSecond(message.layer);
      else if (message.type === "layer") this.#options.onProgress(message);
      else if (message.type === "own") this.#own?.resolve(message.own);
      else if (message.type === "ended") this.#ended.resolve();
      else this.#tree?.resolve(message);
    });
    const { outcome } = this.#extraction;
    const setup = {
      board: this.#board.shared,
      rings: this.#rings,
      outcome,
      apart: this.#plan.apart,
    };
    worker.postMessage({ type: "begin", ...setup } satisfies WriteRequest);
    return worker;
  }

  /** Starts a thread. @param onMessage takes what it says */
  #start<T>(kind: ThreadKind, onMessage: (message: T) => void): Worker {
    const worker = this.#threads.take(kind);
    this.#workers.push(worker);
    worker.onmessage = ({ data }: MessageEvent<T>) => onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crash ??= new Error(`worker failed: ${event.message}`);
      this.#outcomes.reject(this.#crash);
      this.#cancel();
      // The thread that writes says itself when it has ended, unless it is the one that is dead.
      if (worker !== this.#writer) return;
      this.#ended.resolve();
      this.#own?.resolve(null);
      this.#tree?.resolve({ type: "failed", layer: 0, error: null });
    };
    return worker;
  }
}
