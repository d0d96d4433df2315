/**
 * The thread that makes trees of tar streams, with synchronous calls.
 *
 * @module
 */

import { printable } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";
import { LayerApplier } from "./apply.ts";
import { ExtractionFailed, type Extractor, RemoteExtractor } from "./extractor.ts";
import {
  isAboutContent,
  isInterruption,
  sendable,
  type TreeJob,
  type TreeResult,
  type WriteLayer,
  type WriteMessage,
  type WriteRequest,
} from "./messages.ts";
import { RING_BYTES, RingReader, type SharedRing, WRITE_READER } from "./ring.ts";
import { scanLayer, StreamBroken } from "./scan_layer.ts";
import { scanWithSkeleton } from "./skeleton.ts";
import { Tree } from "./tree.ts";

/** Warnings that are kept: a layer may have a hundred thousand entries with the same complaint. */
const MAX_WARNINGS = 100;

declare const self: {
  onmessage: ((event: MessageEvent<WriteRequest>) => void) | null;
  postMessage(message: WriteMessage): void;
};

let extractor: Extractor;

self.onmessage = ({ data }) => {
  if (data.type === "tree") makeTree(data.job, data.layers);
  else if (data.type === "skip") skip(data.ring);
  else {
    extractor = new RemoteExtractor(
      data.outcome,
      (spool) => self.postMessage({ type: "extract", spool }),
    );
  }
};

/** Tells how far it came, and how it ended. */
function makeTree(job: TreeJob, layers: readonly WriteLayer[]): void {
  const place = { layer: 0 };
  try {
    const result = applyAll(job, layers, place);
    self.postMessage({ type: "done", result });
  } catch (error) {
    // Of what is done for an entry, the entry says more; this is of what waited.
    const named = errnoName(error) === "" ? error : storageError(error, "Cannot write files");
    const told = isKnown(error) ? null : sendable(named);
    self.postMessage({ type: "failed", layer: place.layer, error: told });
  }
}

/** Whether the main thread knows better what has happened. */
function isKnown(error: unknown): boolean {
  return error instanceof StreamBroken || error instanceof ExtractionFailed;
}

/** @param place is kept at the layer in hand */
function applyAll(
  job: TreeJob,
  layers: readonly WriteLayer[],
  place: { layer: number },
): TreeResult {
  const warnings: string[] = [];
  const base = { traits: job.traits, hasLayers: job.onTop };
  const tree = new Tree(job.root, job.scratch, job.asRoot, extractor, base);
  try {
    for (const [index, layer] of layers.entries()) {
      place.layer = index;
      applyLayer(layer, tree, warnings);
      self.postMessage({ type: "layer", layer: index });
    }
    const traits = tree.finish();
    warnings.push(...tree.spool.warnings);
    return { warnings: capped(warnings), traits };
  } finally {
    tree.spool.close();
  }
}

function applyLayer(
  { ring, skeleton, hasDigest }: WriteLayer,
  tree: Tree,
  warnings: string[],
): void {
  const reader = new RingReader(ring, WRITE_READER);
  reader.begin();
  try {
    const visit = (scanner: ConstructorParameters<typeof LayerApplier>[1]) =>
      new LayerApplier(tree, scanner, (warning) => warnings.push(warning));
    if (skeleton === null) scanLayer(reader, visit);
    else scanWithSkeleton(reader, visit, skeleton);
  } catch (error) {
    // Whether the blob is what it should be tells more than what failed here, and is found at its end.
    if (hasDigest && isAboutContent(error)) drain(reader);
    throw error;
  } finally {
    reader.finish();
  }
}

function drain(reader: RingReader): void {
  for (let piece = reader.next(RING_BYTES); piece.length > 0; piece = reader.next(RING_BYTES)) {
    reader.take(piece.length);
  }
}

function skip(ring: SharedRing): void {
  const reader = new RingReader(ring, WRITE_READER);
  try {
    reader.begin();
    reader.finish();
  } catch (error) {
    // A tree may still be asked for, and is told that; this thread must live until then.
    if (!isInterruption(error)) throw error;
  }
}

function capped(warnings: string[]): string[] {
  const more = warnings.length - MAX_WARNINGS;
  const kept = warnings.slice(0, MAX_WARNINGS).map(printable);
  return more > 0 ? [...kept, `and ${more} more of the kind`] : kept;
}
