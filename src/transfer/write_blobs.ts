/**
 * Writing an image to a place that takes its blobs one by one: a layout, a store, a registry.
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import { LayerfsError, within } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseLayerMediaType } from "../oci/media_type.ts";
import { quote } from "../oci/strict_json.ts";
import type { Added } from "../store/blobs.ts";
import type { GraphBlob, GraphDocument, ImageGraph } from "./graph.ts";
import { forEachParallel } from "./parallel.ts";
import type { Transfer, TransferWork } from "./sink.ts";

/** How a blob is written. */
export interface BlobWork {
  /** Ends the writing. */
  readonly signal: AbortSignal;
  /** Takes the number of bytes after each piece. */
  readonly onBytes: (delta: number) => void;
}

/**
 * Blobs that are on their way at a time, from or to a registry. Between files it is one: they would
 * wait for the same processor and the same disk.
 */
const REMOTE_LIMIT = 4;

/** A place that takes blobs and documents one by one. */
export interface BlobTarget {
  /** Whether they go far, several at a time then. */
  readonly isRemote: boolean;
  /** Whether layers with URLs of their own, which their makers do not let others hand on, stay out. */
  readonly leavesForeign: boolean;
  /** Whether the blob is there already. */
  has(descriptor: Descriptor, signal: AbortSignal): boolean | Promise<boolean>;
  /** Writes a blob, verified; `reused` where another one has just written it. */
  add(
    content: BlobContent | Uint8Array,
    descriptor: Descriptor,
    work: BlobWork,
  ): Promise<Added>;
  /** Writes a manifest or an index, all that it points at being there. */
  addDocument(document: GraphDocument, signal?: AbortSignal): Promise<Added>;
}

/**
 * Writes all that an image consists of, but for its name.
 *
 * @throws {LayerfsError} what failed first; blobs that are whole stay
 */
export async function writeBlobs(
  graph: ImageGraph,
  target: BlobTarget,
  { signal, onProgress = () => {} }: TransferWork,
): Promise<Transfer> {
  const counter = new Counter();
  const warnings: string[] = [];
  const layers = graph.blobs.filter(({ role }) => role === "layer");
  const bytes = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  const limit = graph.registry !== null || target.isRemote ? REMOTE_LIMIT : 1;
  await forEachParallel(graph.blobs, limit, signal, async (blob, _, signal) => {
    const layer = layers.indexOf(blob);
    const onBytes = (delta: number) => {
      if (layer >= 0) onProgress({ type: "bytes", layer, delta });
    };
    try {
      const added = await writeBlob(blob, target, { signal, onBytes });
      if (added === "left out") warnings.push(leftOut(blob.descriptor));
      else counter.count(added, blob.descriptor.size);
    } catch (error) {
      throw layer < 0 ? error : layerError(error, layer, layers.length);
    }
    if (layer >= 0) onProgress({ type: "layer", layer });
  });
  for (const document of graph.documents) {
    counter.count(await target.addDocument(document, signal), document.bytes.length);
  }
  onProgress({ type: "end" });
  return { ...counter.counts, warnings };
}

async function writeBlob(
  { descriptor, content }: GraphBlob,
  target: BlobTarget,
  work: BlobWork,
): Promise<Added | "left out"> {
  if (await target.has(descriptor, work.signal)) {
    work.onBytes(descriptor.size);
    return "reused";
  }
  const found = foreignOr(descriptor, target.leavesForeign, content);
  return found === null ? "left out" : await target.add(found, descriptor, work);
}

/**
 * What brings the bytes of a blob; null for a layer that is to be had elsewhere only.
 *
 * @param leaves whether it stays out in any case
 */
export function foreignOr(
  descriptor: Descriptor,
  leaves: boolean,
  content: GraphBlob["content"],
): BlobContent | Uint8Array | null {
  if (!isForeign(descriptor)) return content();
  if (leaves) return null;
  try {
    return content();
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "image-invalid") return null;
    throw error;
  }
}

/** Whether a layer may not be handed on, and is to be had elsewhere (image-spec layer.md). */
export function isForeign({ mediaType, urls }: Descriptor): boolean {
  return urls !== undefined && parseLayerMediaType(mediaType)?.nondistributable === true;
}

/** What to say of a layer that was not copied. */
export function leftOut({ digest, urls }: Descriptor): string {
  return `layer ${digest} is not to be handed on, and was left out; it may be had from ` +
    quote(urls?.[0] ?? "");
}

/** An error with the layer that it is about, which is counted from 0. */
export function layerError(error: unknown, layer: number, layers: number): unknown {
  return within(error, `Cannot copy layer ${layer + 1} of ${layers}`, { layer: layer + 1 });
}

/** Counts what is written and what was there. */
export class Counter {
  readonly counts = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 0, bytes: 0 } };

  count(added: Added, bytes: number): void {
    this.counts[added].blobs++;
    this.counts[added].bytes += bytes;
  }
}
