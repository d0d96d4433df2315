/**
 * Copies an image into a store: manifest, config and layers, then the tag.
 *
 * Bytes and digests stay what they are, and every blob is verified by its digest as it is copied.
 * diffIDs are not: that a layer unpacks to what its config says is verified whenever it is applied.
 * Of an index, only the chosen platform's manifest comes along, unless all are asked for. A failure
 * leaves no tag, and no blob that is not whole.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { REF_NAME } from "../oci/descriptor.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { hostPlatform, normalizePlatform, type Platform } from "../oci/platform.ts";
import { parseImageName, parseReference, type Reference, storeTag } from "../oci/reference.ts";
import { selectImage } from "../source/image.ts";
import { openSource, type SourcePlaces } from "../source/open.ts";
import type { DescriptorSource, DockerSource } from "../source/source.ts";
import { totalBytes } from "../store/image_documents.ts";
import { type ImageStore, parseStoreTag, splitStoreTag } from "../store/images.ts";
import { parseNewStoreTag } from "../store/new_store_tag.ts";
import type { PulledImage } from "../store/stored_image.ts";
import { dockerGraph } from "./docker_graph.ts";
import { graphOf, type ImageChoice, type ImageGraph, readGraph, rootOf } from "./graph.ts";
import type { TransferWork } from "./sink.ts";
import { StoreSink } from "./store_sink.ts";

/** What is to be copied. */
export interface PullOptions extends ImageChoice, SourcePlaces, TransferWork {
  /** Such as "oci:images:debian". */
  readonly reference: string;
  /** NAME[:TAG] that the image gets; where it is absent, the one that its source gives it. */
  readonly as?: string;
}

/** What is pulled, and what is known of it. */
interface Pulled {
  readonly graph: ImageGraph;
  /** Tags that its source gives it. */
  readonly tags: readonly string[];
  /** That of its config; null where all are pulled. */
  readonly platform: Platform | null;
}

/**
 * Copies the image that a reference names into the store, and tags it there.
 *
 * @throws {LayerfsError} `usage` where there is no name for it, `conflict`, all that resolving and
 * verifying an image throws, `storage-full`, `storage`, `interrupted`
 */
export async function pullImage(store: ImageStore, options: PullOptions): Promise<PulledImage> {
  const reference = parseReference(options.reference);
  if (options.as !== undefined) parseNewStoreTag(options.as);
  await using source = await openSource(reference, options);
  const { graph, tags, platform } = source.kind === "oci"
    ? await readImage(source, options)
    : await readArchive(source, options);
  const tag = options.as === undefined ? ownTag(reference, graph, tags) : parseStoreTag(options.as);
  const { copied, reused, warnings } = await new StoreSink(store, tag).write(graph, options);
  const [root] = graph.roots;
  if (root === undefined) throw new TypeError("a source gives one descriptor at least");
  return {
    ...splitStoreTag(tag),
    digest: root.digest,
    configDigest: platform === null ? null : manifestOf(graph).config.digest,
    platform,
    layers: platform === null
      ? graph.blobs.filter(({ role }) => role === "layer").length
      : manifestOf(graph).layers.length,
    bytes: totalBytes([...graph.documents, ...graph.blobs].map(({ descriptor }) => descriptor)),
    copied,
    reused,
    warnings: [...graph.warnings, ...warnings],
  };
}

async function readImage(source: DescriptorSource, options: PullOptions): Promise<Pulled> {
  if (options.all === true) {
    const entries = await source.index();
    const tags = [...new Set(entries.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? []))];
    return { graph: await readGraph(source, { all: true }), tags, platform: null };
  }
  const selected = await selectImage(source, options.platform ?? hostPlatform());
  const { tags, platform } = selected;
  return { graph: await graphOf(source, [rootOf(selected)]), tags, platform };
}

async function readArchive(source: DockerSource, options: PullOptions): Promise<Pulled> {
  const platform = options.platform ?? hostPlatform();
  const graph = await dockerGraph(source, { platform }, options);
  const { config, tags } = await source.image();
  const { os, architecture, variant, osVersion, osFeatures } = config;
  const own = normalizePlatform({ os, architecture, variant, osVersion, osFeatures });
  const roots = graph.roots.map((root) => ({ ...root, platform: own }));
  return { graph: { ...graph, roots }, tags, platform: own };
}

/** The only manifest of a graph of one image. */
function manifestOf({ documents, roots }: ImageGraph): Manifest {
  const bytes = documents.at(-1)?.bytes ?? new Uint8Array(0);
  return parseManifest(bytes, roots[0]?.mediaType);
}

/** The name that the source itself has for the image. */
function ownTag(reference: Reference, graph: ImageGraph, tags: readonly string[]): string {
  switch (reference.transport) {
    case "docker-archive":
      if (reference.name !== undefined) return storeTag(reference.name);
      break;
    case "docker":
    case "store":
      if (reference.tag !== undefined) return storeTag(reference);
      break;
  }
  for (const tag of tags) {
    const name = nameOrNull(tag);
    if (name !== null) return name;
  }
  const [first] = tags;
  throw new LayerfsError(
    "usage",
    `Cannot name the image "${graph.reference}": ` +
      (first === undefined ? "it has no tag" : `its tag "${first}" is no image name`) +
      "; give it one with --as NAME[:TAG]",
    { reference: graph.reference },
  );
}

function nameOrNull(tag: string): string | null {
  try {
    const name = parseImageName(tag);
    return name.digest === undefined ? storeTag(name) : null;
  } catch (error) {
    if (error instanceof LayerfsError) return null;
    throw error;
  }
}
