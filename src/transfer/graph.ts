/**
 * All that an image consists of, whatever it is: documents and blobs, each once, in an order in
 * which they can be written so that nothing is there before what it points at.
 *
 * Content of types that layerfs does not know is copied as it is: artifacts, build caches, indexes
 * within indexes.
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import { LayerfsError } from "../errors.ts";
import { MAX_GRAPH_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import { hostPlatform, type Platform } from "../oci/platform.ts";
import type { ImageName } from "../oci/reference.ts";
import { type SelectedImage, selectImage } from "../source/image.ts";
import { walkIndexes } from "../source/index_walk.ts";
import type { DescriptorSource } from "../source/source.ts";

/** A manifest or an index. */
export interface GraphDocument {
  readonly descriptor: Descriptor;
  /** Verified. */
  readonly bytes: Uint8Array;
}

/** A config, a layer, or whatever else a manifest or an index points at. */
export interface GraphBlob {
  readonly descriptor: Descriptor;
  /** Configs are small, and not worth a line of progress. */
  readonly role: "config" | "layer";
  /**
   * What brings its bytes, not verified. Asked only where they are wanted: a delta has not all of
   * them.
   *
   * @throws {LayerfsError} `image-invalid` where the source does not have it
   */
  content(): BlobContent | Uint8Array;
}

/** What is to be copied. */
export interface ImageGraph {
  /** Of the source, as messages name it. */
  readonly reference: string;
  /** What gets the tag: one, or several of one tag that differ by platform. Without annotations. */
  readonly roots: readonly Descriptor[];
  /** Those that something points at come before it, the roots last. */
  readonly documents: readonly GraphDocument[];
  /** Of all documents, each once; layers before their config. */
  readonly blobs: readonly GraphBlob[];
  /** The repository of a registry that the blobs come from; null where they are files. */
  readonly registry: ImageName | null;
  /** What of the source is not kept, for people to read. */
  readonly warnings: readonly string[];
}

/** Which of the images that a reference means. */
export interface ImageChoice {
  /** All platforms, with the index that lists them. */
  readonly all?: boolean;
  /** What the image is to run on; where it is absent, the host's, if there is a choice at all. */
  readonly platform?: Platform;
}

/**
 * Reads the documents of the image that a source means.
 *
 * @throws {LayerfsError} `not-found`, `platform-not-found`, or what is wrong with a document;
 * `unsupported` where they are too many to hold
 */
export async function readGraph(
  source: DescriptorSource,
  choice: ImageChoice,
): Promise<ImageGraph> {
  return await graphOf(source, await chooseRoots(source, choice));
}

/** The graph of one image that has been chosen. */
export async function graphOf(
  source: DescriptorSource,
  roots: readonly Descriptor[],
): Promise<ImageGraph> {
  const reader = new GraphReader(source);
  for await (const descriptor of walkIndexes(roots, reader.readIndex, () => true)) {
    if (isManifest(descriptor.mediaType)) await reader.readManifest(descriptor);
    else if (!isIndex(descriptor.mediaType)) reader.addBlob(descriptor, "layer");
  }
  return {
    reference: source.reference,
    roots,
    documents: reader.documents(roots),
    blobs: [...reader.blobs.values()],
    registry: source.registry,
    warnings: [],
  };
}

/** The descriptor of an image that was selected, as it stands in an index.json. */
export function rootOf({ descriptor, platform }: SelectedImage): Descriptor {
  const { mediaType, digest, size } = descriptor;
  return { mediaType, digest, size, platform };
}

async function chooseRoots(
  source: DescriptorSource,
  { all, platform }: ImageChoice,
): Promise<readonly Descriptor[]> {
  const entries = await source.index();
  if (all === true) return entries.map(withoutAnnotations);
  const [only] = entries;
  const isChoice = entries.length > 1 || only === undefined || isIndex(only.mediaType);
  // What stands alone is meant, whatever it runs on, and if it is no image at all.
  if (!isChoice && platform === undefined) return [withoutAnnotations(only)];
  return [rootOf(await selectImage(source, platform ?? hostPlatform()))];
}

/** Annotations of an index.json are about that place: tags, or what a delta lacks. */
function withoutAnnotations({ annotations: _, data: __, ...descriptor }: Descriptor): Descriptor {
  return descriptor;
}

/** What makes two blobs one. */
export function blobKey({ digest, size }: Descriptor): string {
  return `${digest} ${size}`;
}

class GraphReader {
  /** By digest and size: where a document lies about a size, its blob is to be found wrong. */
  readonly blobs = new Map<string, GraphBlob>();
  readonly #source: DescriptorSource;
  readonly #documents = new Map<Digest, GraphDocument>();
  readonly #children = new Map<Digest, readonly Digest[]>();
  #bytes = 0;

  constructor(source: DescriptorSource) {
    this.#source = source;
  }

  readonly readIndex = async (descriptor: Descriptor): Promise<Uint8Array> => {
    const bytes = await this.#read(descriptor);
    const { manifests } = parseIndex(bytes, descriptor.mediaType);
    this.#children.set(descriptor.digest, manifests.map(({ digest }) => digest));
    return bytes;
  };

  async readManifest(descriptor: Descriptor): Promise<void> {
    if (this.#documents.has(descriptor.digest)) return;
    const manifest = parseManifest(await this.#read(descriptor), descriptor.mediaType);
    for (const layer of manifest.layers) this.addBlob(layer, "layer");
    this.addBlob(manifest.config, "config");
  }

  addBlob(descriptor: Descriptor, role: GraphBlob["role"]): void {
    const { data } = descriptor;
    const key = blobKey(descriptor);
    if (this.blobs.has(key)) return;
    // What is embedded is verified where it is written, like everything else.
    const content = () => data ?? this.#source.locate(descriptor);
    this.blobs.set(key, { descriptor, role, content });
  }

  /** All documents, children first. */
  documents(roots: readonly Descriptor[]): GraphDocument[] {
    const ordered = new Map<Digest, GraphDocument>();
    // Not deeper than walkIndexes has gone.
    const visit = (digest: Digest): void => {
      const document = this.#documents.get(digest);
      if (document === undefined || ordered.has(digest)) return;
      this.#children.get(digest)?.forEach(visit);
      ordered.set(digest, document);
    };
    for (const { digest } of roots) visit(digest);
    return [...ordered.values()];
  }

  async #read(descriptor: Descriptor): Promise<Uint8Array> {
    const bytes = await this.#source.document(descriptor);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_GRAPH_BYTES) {
      throw new LayerfsError(
        "unsupported",
        `Cannot copy "${this.#source.reference}": its indexes and manifests have more than ` +
          `${MAX_GRAPH_BYTES} bytes; choose one image with --platform`,
        { reference: this.#source.reference },
      );
    }
    const { mediaType, digest, size } = descriptor;
    this.#documents.set(digest, { descriptor: { mediaType, digest, size }, bytes });
    return bytes;
  }
}
