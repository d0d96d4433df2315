/**
 * Makes one tree of the layers that come through the rings.
 *
 * The layer whose turn it is, is applied to the tree as it comes. One that was unpacked apart in the
 * meantime (see layer_streams.ts) is put on top of the tree in its turn; where that cannot be done, it
 * is asked for once more.
 *
 * @module
 */

import fs from "node:fs";
import { NeedsLower } from "./apart.ts";
import { BELL, type Board } from "./board.ts";
import type { Extractor } from "./extractor.ts";
import { type LayerStreams, type LayerTaker, scanLayer } from "./layer_streams.ts";
import type { ToldTree } from "./lower_tree.ts";
import { mergeLayer } from "./merge_layer.ts";
import type { TreeJob, TreeRequest, WriteLayer } from "./messages.ts";
import { finishOverlaid } from "./overlaid_layer.ts";
import type { LayerScan } from "./scan_layer.ts";
import type { Traits } from "./traits.ts";
import { Tree } from "./tree.ts";

/** What a tree is made with, and who is told of it. Layers are numbered as in the pipeline. */
export interface TreeSetting {
  readonly board: Board;
  readonly streams: LayerStreams;
  readonly extractor: Extractor;
  /** A layer is in the tree. */
  onLayer(layer: number): void;
}

export class TreeMaker implements LayerTaker {
  readonly isPlain: boolean;
  readonly #job: TreeJob;
  readonly #layers: readonly WriteLayer[];
  readonly #setting: TreeSetting;
  /** The first layer of the tree, and the one behind its last one. */
  readonly #first: number;
  readonly #end: number;
  readonly #tree: Tree;
  readonly #warnings: string[] = [];
  #told: ToldTree | null = null;

  /**
   * @param told what the tree that this one follows has said of itself; null where there is none
   * @throws what the filesystem says of the root
   */
  constructor({ job, isPlain, layers }: TreeRequest, setting: TreeSetting, told: ToldTree | null) {
    // To read it would find what the layer itself has, as if those below had it.
    if (job.own !== undefined && told === null) {
      throw new TypeError("Cannot overlay: nothing is told");
    }
    this.isPlain = isPlain;
    this.#job = job;
    this.#layers = layers;
    this.#setting = setting;
    this.#first = setting.board.head;
    this.#end = this.#first + layers.length;
    this.#tree = new Tree(job.root, job.scratch, job.asRoot, setting.extractor, {
      traits: job.traits,
      hasLayers: job.onTop,
      told,
      keepsNames: job.own !== undefined,
      tells: job.tells ?? false,
      layer: this.#first,
      isPlain,
    });
  }

  /** The layer whose turn it is, or the last one of the tree. */
  get layer(): number {
    return Math.min(this.#setting.board.head, this.#end - 1);
  }

  /**
   * Makes the tree.
   *
   * @returns what could not be kept, for people to read, and what the tree has now
   * @throws {LayerfsError} what is wrong with the {@linkcode layer} in hand
   * @throws {StreamBroken} where its stream is
   */
  run(): { warnings: string[]; traits: Traits } {
    const { board, streams } = this.#setting;
    try {
      if (this.#job.own !== undefined) this.#finishOverlaid(this.#job.own);
      while (board.head < this.#end) {
        board.wait(BELL.write, () => {
          const isMerged = this.#putOnTop();
          return streams.turn(this) || isMerged;
        });
      }
      const traits = this.#tree.finish();
      const { warnings } = this.#tree.spool;
      this.#warnings.push(...warnings, ...streams.warnings.splice(0));
      return { warnings: this.#warnings, traits };
    } finally {
      this.#tree.spool.close();
    }
  }

  /** What the tree, once it is made, says of itself to one that follows it; null where it cannot. */
  get told(): ToldTree | null {
    return this.#told ??= this.#tree.told;
  }

  begin(layer: number): LayerScan | null {
    if (layer >= this.#end) return null;
    return scanLayer(this.#tree, this.#layers[layer - this.#first]!.skeleton, this.#warnings);
  }

  end(): void {
    this.#setting.onLayer(this.#setting.board.head);
    this.#setting.board.advance();
  }

  hasDigest(layer: number): boolean {
    return this.#layers[layer - this.#first]!.hasDigest;
  }

  /** Puts a layer on top of the tree, where its turn has come. @returns whether there was one */
  #putOnTop(): boolean {
    const { streams, board } = this.#setting;
    const layer = board.head;
    const apart = layer < this.#end ? streams.apart(layer) : null;
    if (apart === null || !apart.isComplete) return false;
    try {
      mergeLayer(this.#tree, apart.tree);
    } catch (error) {
      if (!(error instanceof NeedsLower)) throw error;
      streams.askAgain(layer);
      return true;
    }
    const { skeleton } = this.#layers[layer - this.#first]!;
    if (apart.skeleton !== null) fs.renameSync(apart.skeleton, skeleton!);
    this.#take(layer);
    fs.rmSync(apart.place, { recursive: true });
    return true;
  }

  /** The driver has put the layer on top. */
  #finishOverlaid(own: string): void {
    const layer = this.#setting.board.head;
    finishOverlaid(this.#tree, this.#setting.streams.apart(layer)!.tree, own);
    this.#take(layer);
  }

  #take(layer: number): void {
    const { tree, warnings } = this.#setting.streams.take(layer);
    this.#warnings.push(...warnings, ...tree.spool.warnings);
    tree.spool.close();
    this.end();
  }
}
