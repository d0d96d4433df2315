/**
 * The thread that makes trees of tar streams, with synchronous calls.
 *
 * @module
 */

import { printable } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";
import { BELL, Board } from "./board.ts";
import { ExtractionFailed, RemoteExtractor } from "./extractor.ts";
import {
  isInterruption,
  sendable,
  type TreeRequest,
  type WriteMessage,
  type WriteRequest,
  type WriteSetup,
} from "./messages.ts";
import { RingReader, WRITE_READER } from "./ring.ts";
import { StreamBroken, TreeMaker, type TreeSetting } from "./tree_maker.ts";

/** Warnings that are kept: a layer may have a hundred thousand entries with the same complaint. */
const MAX_WARNINGS = 100;

declare const self: {
  onmessage: ((event: MessageEvent<WriteRequest>) => void) | null;
  postMessage(message: WriteMessage): void;
};

let setting: TreeSetting;

/** Who has made the last tree, which may tell the next one what it holds. */
let last: TreeMaker | null = null;

self.onmessage = ({ data }) => {
  if (data.type === "tree") makeTree(data);
  else if (data.type === "skip") skip(setting);
  else setting = settingOf(data);
};

function settingOf({ board, rings, outcome, isApart }: WriteSetup): TreeSetting {
  return {
    board: new Board(board),
    readers: rings.map((ring) => new RingReader(ring, WRITE_READER)),
    extractor: new RemoteExtractor(
      outcome,
      (spool) => self.postMessage({ type: "extract", spool }),
    ),
    isApart,
    onLayer: (layer) => self.postMessage({ type: "layer", layer }),
    onAgain: (layer) => self.postMessage({ type: "again", layer }),
  };
}

/** Tells how far it came, and how it ended. */
function makeTree(request: TreeRequest): void {
  let maker: TreeMaker | null = null;
  try {
    const told = request.job.follows === true ? last?.told ?? null : null;
    last = null;
    maker = new TreeMaker(request, setting, told);
    const { warnings, traits } = maker.run();
    last = maker;
    self.postMessage({ type: "done", result: { warnings: capped(warnings), traits } });
  } catch (error) {
    // Of what is done for an entry, the entry says more; this is of what waited.
    const named = errnoName(error) === "" ? error : storageError(error, "Cannot write files");
    const told = isKnown(error) ? null : sendable(named);
    self.postMessage({ type: "failed", layer: maker?.layer ?? 0, error: told });
  }
}

/** Whether the main thread knows better what has happened. */
function isKnown(error: unknown): boolean {
  return error instanceof StreamBroken || error instanceof ExtractionFailed;
}

/** Leaves out the layer whose turn it is. */
function skip({ board, readers }: TreeSetting): void {
  const layer = board.head;
  try {
    let reader: RingReader | undefined;
    board.wait(BELL.write, () => {
      reader = readers.find(({ stream }) => stream?.layer === layer);
      return reader !== undefined;
    });
    board.advance();
    reader?.finish();
  } catch (error) {
    // A tree may still be asked for, and is told that; this thread must live until then.
    if (!isInterruption(error)) throw error;
  }
}

/** Not too many of them, none twice: a layer that is read a second time gives the same ones. */
function capped(all: readonly string[]): string[] {
  const warnings = [...new Set(all)];
  const more = warnings.length - MAX_WARNINGS;
  const kept = warnings.slice(0, MAX_WARNINGS).map(printable);
  return more > 0 ? [...kept, `and ${more} more of the kind`] : kept;
}
