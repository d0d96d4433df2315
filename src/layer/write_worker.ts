/**
 * The thread that makes trees of tar streams, with synchronous calls. Between two trees, it goes on
 * with the layers that are unpacked apart.
 *
 * @module
 */

import { LayerfsError, printable } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";
import { NeedsLower } from "./apart.ts";
import { BELL, Board } from "./board.ts";
import { ExtractionFailed, RemoteExtractor } from "./extractor.ts";
import { LayerStreams, StreamBroken } from "./layer_streams.ts";
import {
  type OwnFiles,
  sendable,
  type TreeRequest,
  type WriteMessage,
  type WriteRequest,
  type WriteSetup,
} from "./messages.ts";
import { checkOverlaid } from "./overlaid_layer.ts";
import { RingReader, WRITE_READER } from "./ring.ts";
import { TreeMaker, type TreeSetting } from "./tree_maker.ts";

/** Warnings that are kept: a layer may have a hundred thousand entries with the same complaint. */
const MAX_WARNINGS = 100;

declare const self: {
  onmessage: ((event: MessageEvent<WriteRequest>) => void) | null;
  postMessage(message: WriteMessage): void;
};

let writer: Writer;

self.onmessage = ({ data }) => {
  if (data.type === "begin") writer = new Writer(data);
  else writer.do(data);
};

class Writer {
  readonly #board: Board;
  readonly #readers: readonly RingReader[];
  readonly #streams: LayerStreams;
  readonly #setting: TreeSetting;
  readonly #isApart: boolean;
  /** Requests that were done. */
  #done = 0;
  /** Whether {@linkcode #goOn} is at work. */
  #isGoingOn = false;
  /** Who has made the last tree, which may tell the next one what it holds. */
  #last: TreeMaker | null = null;
  /** What has failed: nothing is done any more after that. */
  #failure: unknown = null;

  constructor({ board, rings, outcome, apart }: WriteSetup) {
    this.#board = new Board(board);
    this.#readers = rings.map((ring) => new RingReader(ring, WRITE_READER));
    this.#isApart = apart !== null;
    const extractor = new RemoteExtractor(
      outcome,
      (spool) => self.postMessage({ type: "extract", spool }),
    );
    this.#streams = new LayerStreams({
      board: this.#board,
      readers: this.#readers,
      extractor,
      apart,
      onAgain: (layer) => self.postMessage({ type: "again", layer }),
    });
    this.#setting = {
      board: this.#board,
      streams: this.#streams,
      extractor,
      onLayer: (layer) => self.postMessage({ type: "layer", layer }),
    };
  }

  do(request: Exclude<WriteRequest, { type: "begin" }>): void {
    if (request.type === "tree") this.#makeTree(request);
    else if (request.type === "skip") this.#unlessFailed(() => this.#skip());
    else if (request.type === "own") {
      const own = this.#unlessFailed(() => this.#ownFiles(request.follows)) ?? null;
      self.postMessage({ type: "own", own });
    } else this.#end();
    this.#done++;
    if (this.#isApart && this.#failure === null) this.#goOn();
  }

  #end(): void {
    this.#failure ??= new LayerfsError("interrupted", "interrupted");
    this.#streams.close();
    self.postMessage({ type: "ended" });
  }

  /** Tells how far it came, and how it ended. */
  #makeTree(request: TreeRequest): void {
    let maker: TreeMaker | null = null;
    try {
      if (this.#failure !== null) throw this.#failure;
      const told = request.job.follows ? this.#last?.told ?? null : null;
      this.#last = null;
      maker = new TreeMaker(request, this.#setting, told);
      const { warnings, traits } = maker.run();
      this.#last = maker;
      self.postMessage({ type: "done", result: { warnings: capped(warnings), traits } });
    } catch (error) {
      this.#failure = error;
      this.#streams.close();
      // Of what is done for an entry, the entry says more; this is of what waited.
      const named = errnoName(error) === "" ? error : storageError(error, "Cannot write files");
      const told = isKnown(error) ? null : sendable(named);
      const layer = maker?.layer ?? this.#board.head;
      self.postMessage({ type: "failed", layer, error: told });
    }
  }

  /** Leaves out the layer whose turn it is. */
  #skip(): void {
    const layer = this.#board.head;
    this.#last = null;
    this.#streams.keepForTurn(layer);
    if (this.#streams.apart(layer) !== null) this.#streams.drop(layer);
    else this.#streamOf(layer).finish();
    this.#board.advance();
  }

  /** The ring that a layer comes in, once it does. */
  #streamOf(layer: number): RingReader {
    let reader: RingReader | undefined;
    const find = () => this.#readers.find(({ stream }) => stream?.layer === layer);
    this.#board.wait(BELL.write, () => {
      // To go on with others may free a ring for it.
      for (reader = find(); reader === undefined && this.#streams.turn(null);) reader = find();
      return reader !== undefined;
    });
    return reader!;
  }

  /** What the layer whose turn it is consists of, where it is unpacked apart, and can stay so. */
  #ownFiles(follows: boolean): OwnFiles | null {
    const layer = this.#board.head;
    const apart = this.#streams.apart(layer);
    // Whoever is told that there is none prepares to have it applied.
    this.#streams.keepForTurn(layer);
    if (apart === null) return null;
    while (this.#streams.apart(layer)?.isComplete === false) {
      this.#board.wait(BELL.write, () => this.#streams.turn(null));
    }
    if (this.#streams.apart(layer) === null) return null;
    try {
      checkOverlaid(follows ? this.#last?.told ?? null : null, apart.tree);
      apart.tree.spool.flush();
      return { root: apart.tree.root, skeleton: apart.skeleton };
    } catch (error) {
      if (!(error instanceof NeedsLower)) throw error;
      this.#streams.askAgain(layer);
      return null;
    }
  }

  /** Goes on with layers that are unpacked apart, until there is a request. */
  async #goOn(): Promise<void> {
    if (this.#isGoingOn) return;
    this.#isGoingOn = true;
    const isCalled = () => this.#board.calls > this.#done;
    try {
      while (!isCalled()) {
        await this.#board.waitLater(BELL.write, () => isCalled() || this.#streams.turn(null));
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#isGoingOn = false;
  }

  /** A failure is kept for the next tree, which may still be asked for, and tells of it. */
  #unlessFailed<T>(action: () => T): T | undefined {
    try {
      if (this.#failure === null) return action();
    } catch (error) {
      this.#failure = error;
    }
  }
}

/** Whether the main thread knows better what has happened. */
function isKnown(error: unknown): boolean {
  return error instanceof StreamBroken || error instanceof ExtractionFailed;
}

/** Not too many of them, none twice: a layer that is read a second time gives the same ones. */
function capped(all: readonly string[]): string[] {
  const warnings = [...new Set(all)];
  const more = warnings.length - MAX_WARNINGS;
  const kept = warnings.slice(0, MAX_WARNINGS).map(printable);
  return more > 0 ? [...kept, `and ${more} more of the kind`] : kept;
}
