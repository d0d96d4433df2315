/**
 * `layerfs copy`: an image from anywhere to anywhere, its bytes and digests unchanged.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import { ANONYMOUS, openSource, type SourcePlaces } from "../source/open.ts";
import type { BlobCount } from "../store/stored_image.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { type Delta, withoutLayersOf } from "./delta.ts";
import { dockerGraph } from "./docker_graph.ts";
import { type ImageChoice, type ImageGraph, readGraph } from "./graph.ts";
import { openSink } from "./open_sink.ts";
import type { TransferWork } from "./sink.ts";

/** What to copy, and where. */
export interface CopyOptions extends ImageChoice, Omit<SourcePlaces, "store">, TransferWork {
  /** Reference of the image. */
  readonly source: string;
  /** Reference that it gets. */
  readonly destination: string;
  /** The store of bare names; asked for where one of the references is such. */
  readonly store: () => StoreOptions;
  /** Gives what is known of the registry that the image goes to; as `registry` where it is absent. */
  readonly destinationRegistry?: SourcePlaces["registry"];
  /** An image whose layers are left out, as the other side has it. */
  readonly layersMissingFrom?: string;
}

/** What was copied. */
export interface CopiedImage {
  /** As it was named. */
  readonly source: string;
  /** Likewise. */
  readonly destination: string;
  /** Of the manifest or index that the destination names; of the first where it is several. */
  readonly digest: Digest;
  /** What was written. */
  readonly copied: BlobCount;
  /** What the destination had already. */
  readonly reused: BlobCount;
  /** Layers that were left out as the other side has them, and the bytes that they have. */
  readonly leftOut: { readonly layers: number; readonly bytes: number };
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/**
 * Copies an image. What the destination has already is not copied again; a failure leaves whole
 * blobs there for the next try, and no name.
 *
 * @throws {LayerfsError} with any code; see errors.ts
 */
export async function copyImage(options: CopyOptions): Promise<CopiedImage> {
  const source = parseReference(options.source);
  const destination = parseReference(options.destination);
  const { layersMissingFrom } = options;
  if (layersMissingFrom !== undefined) checkDelta(destination);
  const base = layersMissingFrom === undefined ? null : parseReference(layersMissingFrom);
  const usesStore = [source, base].some((reference) => reference?.transport === "store");
  // Read before a store is opened: a failure must not make one.
  const places = { ...options, ...(usesStore ? options.store() : { store: undefined }) };
  await using opened = await openSource(source, places);
  const graph = opened.kind === "oci"
    ? await readGraph(opened, options)
    : await dockerGraph(opened, options, options);
  const delta = base === null ? WHOLE(graph) : await deltaOf(graph, base, options, places);
  using store = destination.transport === "store"
    ? await Store.open(options.store(), "shared", options.signal)
    : null;
  const sink = openSink(destination, {
    store,
    from: source.transport === "store" ? places.store : undefined,
    registry: options.destinationRegistry ?? options.registry ?? ANONYMOUS,
    annotations: delta.annotations,
  });
  const { copied, reused, warnings } = await sink.write(delta.graph, options);
  const [root] = graph.roots;
  if (root === undefined) throw new TypeError("a source gives one descriptor at least");
  return {
    source: options.source,
    destination: options.destination,
    digest: root.digest,
    copied,
    reused,
    leftOut: delta.lacking,
    warnings: [...graph.warnings, ...warnings],
  };
}

/** An image of which nothing is left out. */
const WHOLE = (graph: ImageGraph): Delta => ({
  graph,
  annotations: {},
  lacking: { layers: 0, bytes: 0 },
});

async function deltaOf(
  graph: ImageGraph,
  base: Reference,
  options: CopyOptions,
  places: SourcePlaces,
): Promise<Delta> {
  await using source = await openSource(base, places);
  const found = source.kind === "oci"
    ? await readGraph(source, options)
    : await dockerGraph(source, options, options);
  return withoutLayersOf(graph, found);
}

/** Elsewhere, an image without all of its layers would be a broken one. */
function checkDelta({ transport }: Reference): void {
  if (transport === "oci" || transport === "oci-archive") return;
  throw new LayerfsError(
    "usage",
    "Cannot use --layers-missing-from here: what lacks layers goes to oci:DIR or " +
      "oci-archive:FILE only",
    { option: "layers-missing-from" },
  );
}
