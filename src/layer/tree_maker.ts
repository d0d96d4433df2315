/**
 * Makes one tree of the layers that come through the rings.
 *
 * The layer whose turn it is, is applied to the tree as it comes. Others that come in the meantime
 * are unpacked apart, where that is allowed, and put on top of the tree in their turn; a layer with
 * which that cannot be done is asked for once more.
 *
 * @module
 */

import fs from "node:fs";
import { NeedsLower } from "./apart.ts";
import { LayerApplier } from "./apply.ts";
import { BELL, type Board } from "./board.ts";
import { WORKING_MODE } from "./directories.ts";
import { ExtractionFailed, type Extractor } from "./extractor.ts";
import type { ToldTree } from "./lower_tree.ts";
import { mergeLayer } from "./merge_layer.ts";
import {
  isAboutContent,
  isInterruption,
  type TreeJob,
  type TreeRequest,
  type WriteLayer,
} from "./messages.ts";
import { RING_BYTES, type RingReader } from "./ring.ts";
import { LayerScan, PIECE_BYTES } from "./scan_layer.ts";
import { scanWithSkeleton } from "./skeleton.ts";
import { NO_TRAITS, type Traits } from "./traits.ts";
import { Tree } from "./tree.ts";

/** Thrown where a stream did not come to its end: whoever writes it says why. */
export class StreamBroken extends Error {}

/** What a tree is made with, and who is told of it. Layers are numbered as in the pipeline. */
export interface TreeSetting {
  readonly board: Board;
  readonly readers: readonly RingReader[];
  readonly extractor: Extractor;
  /** Whether layers may be unpacked apart. */
  readonly isApart: boolean;
  /** A layer is in the tree. */
  onLayer(layer: number): void;
  /** A layer is asked for once more. */
  onAgain(layer: number): void;
}

/** A layer that is being scanned. */
interface Running {
  /** Its number among those of the tree, from 0. */
  readonly index: number;
  readonly reader: RingReader;
  readonly scan: LayerScan;
  /** Null where it is applied to the tree itself. */
  readonly apart: ApartLayer | null;
}

/** A layer that is unpacked apart. */
interface ApartLayer {
  /** Absolute path of the directory that it is in, with its spools. */
  readonly place: string;
  readonly tree: Tree;
  readonly warnings: string[];
  /** Whether all of it is there. */
  isComplete: boolean;
}

export class TreeMaker {
  readonly #job: TreeJob;
  readonly #isPlain: boolean;
  readonly #layers: readonly WriteLayer[];
  readonly #setting: TreeSetting;
  /** The number in the pipeline of the tree's first layer. */
  readonly #first: number;
  readonly #tree: Tree;
  readonly #running = new Map<RingReader, Running>();
  readonly #apart = new Map<number, ApartLayer>();
  readonly #warnings: string[] = [];
  /** The layer whose turn it is, from 0. */
  #head = 0;

  /**
   * @param told what the tree that this one follows has said of itself; null where there is none
   * @throws what the filesystem says of the root
   */
  constructor(
    { job, isPlain, layers }: TreeRequest,
    setting: TreeSetting,
    told: ToldTree | null,
  ) {
    this.#job = job;
    this.#isPlain = isPlain;
    this.#layers = layers;
    this.#setting = setting;
    this.#first = setting.board.head;
    const base = { traits: job.traits, hasLayers: job.onTop, told, isPlain };
    this.#tree = new Tree(job.root, job.scratch, job.asRoot, setting.extractor, base);
  }

  /** The layer in hand, from 0: of those of the tree. */
  get layer(): number {
    return Math.min(this.#head, this.#layers.length - 1);
  }

  /**
   * Makes the tree.
   *
   * @returns what could not be kept, for people to read, and what the tree has now
   * @throws {LayerfsError} what is wrong with the {@linkcode layer} in hand
   * @throws {StreamBroken} where its stream is
   */
  run(): { warnings: string[]; traits: Traits } {
    try {
      while (this.#head < this.#layers.length) {
        this.#setting.board.wait(BELL.write, () => this.#turn());
      }
      const traits = this.#tree.finish();
      this.#warnings.push(...this.#tree.spool.warnings);
      return { warnings: this.#warnings, traits };
    } finally {
      for (const running of this.#running.values()) this.#leave(running);
      for (const { tree } of this.#apart.values()) tree.spool.close();
      this.#tree.spool.close();
    }
  }

  /** What the tree, once it is made, says of itself to one that follows it; null where it cannot. */
  get told(): ToldTree | null {
    return this.#tree.told;
  }

  /** Goes on with all layers, where that is possible. @returns whether anything was done */
  #turn(): boolean {
    let isDone = this.#putOnTop();
    for (const reader of this.#setting.readers) {
      const running = this.#running.get(reader) ?? this.#begin(reader);
      if (running !== null && this.#step(running)) isDone = true;
    }
    return isDone;
  }

  /** Begins with what is in a ring, where it is its turn or that may be done apart. */
  #begin(reader: RingReader): Running | null {
    const { stream } = reader;
    if (stream === null) return null;
    const index = stream.layer - this.#first;
    const isTurn = index === this.#head;
    // Others may be of the next tree.
    if (index >= this.#layers.length || !(isTurn || this.#setting.isApart)) return null;
    const apart = isTurn ? null : this.#makeApart(index);
    const tree = apart?.tree ?? this.#tree;
    const warnings = apart?.warnings ?? this.#warnings;
    const visit = (scanner: ConstructorParameters<typeof LayerApplier>[1]) =>
      new LayerApplier(tree, scanner, (warning) => warnings.push(warning));
    const { skeleton } = this.#layers[index]!;
    const scan = skeleton === null ? new LayerScan(visit) : scanWithSkeleton(visit, skeleton);
    const running = { index, reader, scan, apart };
    this.#running.set(reader, running);
    return running;
  }

  #makeApart(index: number): ApartLayer {
    const { scratch, asRoot } = this.#job;
    const place = `${scratch}/apart-${index}`;
    const root = `${place}/root`;
    fs.mkdirSync(root, { recursive: true, mode: WORKING_MODE });
    const isPlain = this.#isPlain;
    const base = { traits: NO_TRAITS, hasLayers: false, apart: index, isPlain };
    const tree = new Tree(root, place, asRoot, this.#setting.extractor, base);
    const apart = { place, tree, warnings: [], isComplete: false };
    this.#apart.set(index, apart);
    return apart;
  }

  /** @returns whether anything was done */
  #step(running: Running): boolean {
    const { reader, apart } = running;
    try {
      const piece = reader.available(PIECE_BYTES);
      if (piece.length > 0) {
        running.scan.feed(piece);
        reader.take(piece.length);
        return true;
      }
      if (!reader.isOver) return false;
      if (reader.outcome !== "ended") throw new StreamBroken();
      running.scan.end();
    } catch (error) {
      if (apart === null) this.#fail(running, error);
      else this.#giveUp(running.index, error, running);
      return true;
    }
    this.#end(running);
    return true;
  }

  #end(running: Running): void {
    const { apart } = running;
    if (apart === null) {
      // First, so that the one whose turn it is then finds a ring.
      this.#advance();
    } else {
      apart.isComplete = true;
      apart.tree.spool.extract();
    }
    this.#leave(running);
  }

  #leave(running: Running): void {
    this.#running.delete(running.reader);
    running.scan.close();
    running.reader.finish();
  }

  #fail({ index, reader }: Running, error: unknown): never {
    // Whether the blob is what it should be tells more than what failed here, and is found at its end.
    if (this.#layers[index]!.hasDigest && isAboutContent(error)) drain(reader);
    throw error;
  }

  /** Whatever has failed apart is done once more in its turn, which may then fail for good. */
  #giveUp(index: number, error: unknown, running?: Running): void {
    if (isInterruption(error) || error instanceof ExtractionFailed) throw error;
    if (running !== undefined) this.#leave(running);
    this.#apart.get(index)?.tree.spool.close();
    // tar may be at it still; and the room will be needed.
    this.#warnings.push(...this.#setting.extractor.finish());
    this.#forget(index);
    this.#setting.onAgain(this.#first + index);
    this.#setting.board.askAgain(this.#first + index);
  }

  /** Removes what is left of a layer that was unpacked apart. */
  #forget(index: number): void {
    const apart = this.#apart.get(index);
    this.#apart.delete(index);
    if (apart !== undefined) fs.rmSync(apart.place, { recursive: true });
  }

  /** Puts layers on top of the tree, as far as it is their turn. @returns whether there were any */
  #putOnTop(): boolean {
    const index = this.#head;
    const apart = this.#apart.get(index);
    if (apart === undefined || !apart.isComplete) return false;
    try {
      mergeLayer(this.#tree, apart.tree);
    } catch (error) {
      if (!(error instanceof NeedsLower)) throw error;
      this.#giveUp(index, error);
      return true;
    }
    this.#warnings.push(...apart.warnings, ...apart.tree.spool.warnings);
    this.#forget(index);
    this.#advance();
    return true;
  }

  #advance(): void {
    this.#setting.onLayer(this.#first + this.#head);
    this.#head++;
    this.#setting.board.advance();
  }
}

function drain(reader: RingReader): void {
  for (let piece = reader.next(RING_BYTES); piece.length > 0; piece = reader.next(RING_BYTES)) {
    reader.take(piece.length);
  }
}
