/**
 * The layers that come through the rings, each on its way into a tree: the one whose turn it is into
 * the tree in hand, others that may be unpacked apart into directories of their own, until somebody
 * takes them.
 *
 * Whatever fails apart is done once more in its turn, and may then fail for good.
 *
 * @module
 */

import fs from "node:fs";
import { LayerApplier } from "./apply.ts";
import type { Board } from "./board.ts";
import { WORKING_MODE } from "./directories.ts";
import { ExtractionFailed, type Extractor } from "./extractor.ts";
import { type ApartPlace, isAboutContent, isInterruption } from "./messages.ts";
import { RING_BYTES, type RingReader } from "./ring.ts";
import { LayerScan, PIECE_BYTES } from "./scan_layer.ts";
import { scanWithSkeleton } from "./skeleton.ts";
import type { StreamName } from "./stream_name.ts";
import { NO_TRAITS } from "./traits.ts";
import { Tree } from "./tree.ts";

/** Thrown where a stream did not come to its end: whoever writes it says why. */
export class StreamBroken extends Error {}

/** What layers are unpacked with, and who is told of it. */
export interface StreamSetting {
  readonly board: Board;
  readonly readers: readonly RingReader[];
  readonly extractor: Extractor;
  /** Where layers may be unpacked apart; null for nowhere. */
  readonly apart: ApartPlace | null;
  /** A layer is asked for once more. */
  onAgain(layer: number): void;
}

/** Who takes the layer whose turn it is. */
export interface LayerTaker {
  /** Whether new files may be plain (see new_files.ts). */
  readonly isPlain: boolean;
  /** Begins with it; null where it is of another tree. */
  begin(layer: number): LayerScan | null;
  /** All of it was scanned. */
  end(): void;
  /** Whether there is a digest of it to be verified. */
  hasDigest(layer: number): boolean;
}

/** A layer that is being scanned. */
interface Running {
  readonly layer: number;
  readonly reader: RingReader;
  readonly scan: LayerScan;
  /** Null where it is unpacked apart. */
  readonly taker: LayerTaker | null;
}

/** A layer that is unpacked apart. */
export interface ApartLayer {
  /** Absolute path of the directory that all of it is in. */
  readonly place: string;
  readonly tree: Tree;
  /** Absolute path of its skeleton; null for none. */
  readonly skeleton: string | null;
  readonly warnings: string[];
  /** Whether all of it is there, but for what waits for tar. */
  isComplete: boolean;
}

/** Layers are numbered as in the pipeline. */
export class LayerStreams {
  readonly #setting: StreamSetting;
  readonly #running = new Map<RingReader, Running>();
  readonly #apart = new Map<number, ApartLayer>();
  /** What could not be kept while layers were given up, for people to read. */
  readonly warnings: string[] = [];
  /** What the first tree has said of new files; null before that, when nothing is begun apart. */
  #isPlain: boolean | null = null;
  /** A layer that is not to be begun apart any more; null for none. */
  #kept: number | null = null;

  constructor(setting: StreamSetting) {
    this.#setting = setting;
  }

  /**
   * Goes on with all layers, where that is possible.
   *
   * @param taker who takes the layer whose turn it is; null where nobody does yet
   * @returns whether anything was done
   * @throws {LayerfsError} what is wrong with that layer
   * @throws {StreamBroken} where its stream is
   */
  turn(taker: LayerTaker | null): boolean {
    this.#isPlain ??= taker?.isPlain ?? null;
    let isDone = false;
    for (const reader of this.#setting.readers) {
      const running = this.#running.get(reader) ?? this.#begin(reader, taker);
      if (running !== null && this.#step(running)) isDone = true;
    }
    return isDone;
  }

  /** A layer that is unpacked apart, whether all of it is there yet or not; null for any other. */
  apart(layer: number): ApartLayer | null {
    return this.#apart.get(layer) ?? null;
  }

  /** Keeps a layer for its turn, which has come, unless it is unpacked apart already. */
  keepForTurn(layer: number): void {
    this.#kept = layer;
  }

  /** Hands over a layer that was unpacked apart, with its directory. */
  take(layer: number): ApartLayer {
    const apart = this.#apart.get(layer);
    if (apart === undefined) throw new TypeError(`Cannot take layer ${layer}: it is not apart`);
    this.#apart.delete(layer);
    return apart;
  }

  /** Gives up a layer that is unpacked apart. */
  drop(layer: number): void {
    const running = [...this.#running.values()].find((one) => one.layer === layer);
    if (running !== undefined) this.#leave(running);
    this.#apart.get(layer)?.tree.spool.close();
    this.#apart.delete(layer);
    // tar may be at it still; and the room will be needed.
    this.warnings.push(...this.#setting.extractor.finish());
    fs.rmSync(this.#placeOf(layer), { recursive: true, force: true });
  }

  /** Gives up a layer that is unpacked apart, and asks for it once more. */
  askAgain(layer: number): void {
    this.drop(layer);
    this.#setting.onAgain(layer);
    this.#setting.board.askAgain(layer);
  }

  /** Frees all. */
  close(): void {
    for (const running of this.#running.values()) this.#leave(running);
    for (const { tree } of this.#apart.values()) tree.spool.close();
  }

  /** Begins with what is in a ring, where somebody takes it, as it is its turn, or it may be apart. */
  #begin(reader: RingReader, taker: LayerTaker | null): Running | null {
    const { stream } = reader;
    if (stream === null) return null;
    const { layer } = stream;
    const isTurn = layer === this.#setting.board.head;
    const taken = isTurn ? taker?.begin(layer) ?? null : null;
    const scan = taken ?? (this.#mayBeApart(stream) ? this.#beginApart(layer, reader) : null);
    if (scan === null) return null;
    const running = { layer, reader, scan, taker: taken === null ? null : taker };
    this.#running.set(reader, running);
    return running;
  }

  #mayBeApart({ layer, attempt }: StreamName): boolean {
    const { apart, board } = this.#setting;
    if (apart === null || this.#isPlain === null) return false;
    return attempt === 0 && layer !== this.#kept && board.mayBeApart(layer);
  }

  /** @returns null where that has failed: the layer is asked for once more then */
  #beginApart(layer: number, reader: RingReader): LayerScan | null {
    try {
      return this.#scanApart(layer);
    } catch (error) {
      if (isInterruption(error)) throw error;
      reader.finish();
      this.askAgain(layer);
      return null;
    }
  }

  #scanApart(layer: number): LayerScan {
    const setting = this.#setting.apart!;
    const place = this.#placeOf(layer);
    const how = { layer, asRoot: setting.asRoot, isPlain: this.#isPlain === true };
    const tree = treeApart(place, how, this.#setting.extractor);
    const skeleton = setting.hasSkeletons ? `${place}/skeleton` : null;
    const apart: ApartLayer = { place, tree, skeleton, warnings: [], isComplete: false };
    this.#apart.set(layer, apart);
    return scanLayer(tree, skeleton, apart.warnings);
  }

  #placeOf(layer: number): string {
    return `${this.#setting.apart!.scratch}/apart-${layer}`;
  }

  /** @returns whether anything was done */
  #step(running: Running): boolean {
    const { reader, layer, taker, scan } = running;
    try {
      const piece = reader.available(PIECE_BYTES);
      if (piece.length > 0) {
        scan.feed(piece);
        reader.take(piece.length);
        return true;
      }
      if (!reader.isOver) return false;
      if (reader.outcome !== "ended") throw new StreamBroken();
      scan.end();
      if (taker === null) this.#complete(layer);
    } catch (error) {
      if (taker !== null) this.#fail(running, taker, error);
      if (isInterruption(error) || error instanceof ExtractionFailed) throw error;
      this.askAgain(layer);
      return true;
    }
    taker?.end(); // before the ring is free: the layer whose turn it is then is to find it
    this.#leave(running);
    return true;
  }

  #complete(layer: number): void {
    const apart = this.#apart.get(layer)!;
    apart.tree.spool.extract();
    apart.isComplete = true;
  }

  #fail({ layer, reader }: Running, taker: LayerTaker, error: unknown): never {
    // Whether the blob is what it should be tells more than what failed here, and is found at its end.
    if (taker.hasDigest(layer) && isAboutContent(error)) drain(reader);
    throw error;
  }

  #leave(running: Running): void {
    this.#running.delete(running.reader);
    running.scan.close();
    running.reader.finish();
  }
}

/** A tree for a layer that is unpacked apart. @param place absolute path of a new directory for it */
export function treeApart(
  place: string,
  how: { readonly layer: number; readonly asRoot: boolean; readonly isPlain: boolean },
  extractor: Extractor,
): Tree {
  const root = `${place}/root`;
  for (const directory of [place, root]) fs.mkdirSync(directory, WORKING_MODE);
  const { layer, asRoot, isPlain } = how;
  const base = { traits: NO_TRAITS, hasLayers: false, isApart: true, layer, isPlain };
  return new Tree(root, place, asRoot, extractor, base);
}

/** Begins to apply a layer to a tree. @param skeleton path of a new file for its skeleton, or null */
export function scanLayer(tree: Tree, skeleton: string | null, warnings: string[]): LayerScan {
  const visit = (scanner: ConstructorParameters<typeof LayerApplier>[1]) =>
    new LayerApplier(tree, scanner, (warning) => warnings.push(warning));
  return skeleton === null ? new LayerScan(visit) : scanWithSkeleton(visit, skeleton);
}

function drain(reader: RingReader): void {
  for (let piece = reader.next(RING_BYTES); piece.length > 0; piece = reader.next(RING_BYTES)) {
    reader.take(piece.length);
  }
}
