/**
 * Images that go into an archive, written in one stream.
 *
 *     oci-layout, index.json    the archive is a tar of an image layout
 *     manifest.json             beside it in a docker-archive: what `docker load` looks for
 *     blobs/<algorithm>/<hex>   all blobs, as they are
 *
 * A docker-archive has the form that `docker save` has given its own since Docker 25, with layers
 * compressed as they are: `docker load`, `podman load` and skopeo unpack them, and whoever reads the
 * layout finds manifest and digests unchanged.
 *
 * An archive gets its name when it is whole. A kill leaves a file `.NAME.layerfs-part`, which the
 * next try overwrites.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull, syncToDisk, writeAll } from "../files.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import { algorithmName, digestHex } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isConfig, isIndex, OCI_INDEX } from "../oci/media_type.ts";
import {
  type DockerArchiveReference,
  formatImageName,
  type LayoutReference,
} from "../oci/reference.ts";
import { encodeDescriptor } from "../store/image_documents.ts";
import { FileLock } from "../store/lock.ts";
import { PUBLIC } from "../store/modes.ts";
import { storageError } from "../system_error.ts";
import { TarStream, type TarStreamInput } from "../tar/tar_stream.ts";
import type { ImageGraph } from "./graph.ts";
import type { ImageSink, Transfer, TransferWork } from "./sink.ts";
import { verifiedPieces } from "./verified.ts";
import { Counter, foreignOr, layerError, leftOut } from "./write_blobs.ts";

/** So that the same image gives the same archive. */
const MTIME = 0;

/** A new archive. */
export class ArchiveSink implements ImageSink {
  readonly reference: string;
  readonly #wanted: LayoutReference | DockerArchiveReference;
  readonly #annotations: Readonly<Record<string, string>>;

  /**
   * @param annotations what the entry of index.json gets beside the tag
   * @throws {LayerfsError} `conflict` where there is something of its name
   */
  constructor(
    wanted: LayoutReference | DockerArchiveReference,
    annotations: Readonly<Record<string, string>> = {},
  ) {
    this.#wanted = wanted;
    this.#annotations = annotations;
    this.reference = `${wanted.transport}:${wanted.path}`;
    this.#checkAbsent();
  }

  async write(graph: ImageGraph, work: TransferWork): Promise<Transfer> {
    const documents = this.#documents(graph);
    const action = `Cannot write archive "${this.#wanted.path}"`;
    const place = resolve(this.#wanted.path);
    const part = `${dirname(place)}/.${basename(place)}.layerfs-part`;
    try {
      // With the mode that a new file has, as a lock file has another.
      Deno.openSync(part, { append: true, create: true, mode: PUBLIC.file }).close();
      // Held by who writes there: two would write one file.
      using lock = await FileLock.wait(part, "exclusive", work.signal);
      try {
        this.#checkAbsent();
        const transfer = await writeArchive(part, documents, graph, work);
        Deno.renameSync(part, place);
        syncToDisk(dirname(place));
        return transfer;
      } catch (error) {
        lock.remove();
        throw error;
      }
    } catch (error) {
      throw storageError(error, action);
    }
  }

  #checkAbsent(): void {
    const { path } = this.#wanted;
    if (lstatOrNull(path) === null) return;
    throw new LayerfsError(
      "conflict",
      `Cannot write archive "${path}": there is a file of that name; remove it first, or name ` +
        "another",
      { path },
    );
  }

  /** The files that are not blobs. */
  #documents(graph: ImageGraph): Map<string, unknown> {
    const { transport } = this.#wanted;
    const documents = new Map<string, unknown>([["oci-layout", { imageLayoutVersion: "1.0.0" }]]);
    if (transport === "docker-archive") {
      documents.set("manifest.json", [dockerManifest(graph, this.#wanted)]);
    }
    const tag = transport === "docker-archive" ? this.#wanted.name?.tag : this.#wanted.tag;
    const annotations = {
      ...(tag === undefined ? {} : { [REF_NAME]: tag }),
      ...this.#dockerAnnotations(),
      ...this.#annotations,
    };
    const added = Object.keys(annotations).length === 0 ? {} : { annotations };
    documents.set("index.json", {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: graph.roots.map((root) => encodeDescriptor({ ...root, ...added })),
    });
    return documents;
  }

  /** The name in full, as containerd's `ctr images import` looks for it. */
  #dockerAnnotations(): Record<string, string> {
    if (this.#wanted.transport !== "docker-archive") return {};
    const { name } = this.#wanted;
    return name === undefined ? {} : { "io.containerd.image.name": formatImageName(name) };
  }
}

/** The entry of manifest.json. */
function dockerManifest(graph: ImageGraph, { name, path }: DockerArchiveReference): unknown {
  const [root] = graph.roots;
  const action = `Cannot write docker-archive "${path}"`;
  if (root === undefined || graph.roots.length > 1 || isIndex(root.mediaType)) {
    throw new LayerfsError(
      "usage",
      `${action}: it holds images of one platform only; choose one with --platform, or use ` +
        "oci-archive:FILE",
      { path },
    );
  }
  const document = graph.documents.find(({ descriptor }) => descriptor.digest === root.digest);
  const manifest = parseManifest(document?.bytes ?? new Uint8Array(0), root.mediaType);
  if (!isConfig(manifest.config.mediaType)) {
    throw new LayerfsError(
      "unsupported",
      `${action}: "${graph.reference}" is not a container image; use oci-archive:FILE`,
      { path, mediaType: manifest.config.mediaType },
    );
  }
  return {
    Config: blobName(manifest.config),
    RepoTags: name === undefined ? null : [formatImageName(name)],
    Layers: manifest.layers.map(blobName),
  };
}

async function writeArchive(
  part: string,
  documents: ReadonlyMap<string, unknown>,
  graph: ImageGraph,
  work: TransferWork,
): Promise<Transfer> {
  const counter = new Counter();
  const warnings: string[] = [];
  const entries = archiveEntries(documents, graph, work, (blob) => {
    if (blob.leftOut) warnings.push(leftOut(blob.descriptor));
    else counter.count("copied", blob.descriptor.size);
  });
  using file = Deno.openSync(part, { write: true, truncate: true });
  for await (const piece of ReadableStream.from(entries).pipeThrough(new TarStream())) {
    writeAll(file, piece);
  }
  file.syncSync();
  return { ...counter.counts, warnings };
}

/** Takes each blob that is done. */
type Done = (blob: { readonly descriptor: Descriptor; readonly leftOut: boolean }) => void;

async function* archiveEntries(
  documents: ReadonlyMap<string, unknown>,
  graph: ImageGraph,
  work: TransferWork,
  done: Done,
): AsyncGenerator<TarStreamInput> {
  for (const [name, value] of documents) {
    yield fileOf(name, new TextEncoder().encode(JSON.stringify(value)));
  }
  const algorithms = new Set(
    [...graph.blobs, ...graph.documents].map(({ descriptor }) => algorithmName(descriptor.digest)),
  );
  yield directoryOf("blobs");
  for (const algorithm of algorithms) yield directoryOf(`blobs/${algorithm}`);
  for (const { descriptor, bytes } of graph.documents) {
    yield fileOf(blobName(descriptor), bytes);
    done({ descriptor, leftOut: false });
  }
  yield* blobEntries(graph, work, done);
}

async function* blobEntries(
  { blobs }: ImageGraph,
  { engine, signal, onProgress = () => {} }: TransferWork,
  done: Done,
): AsyncGenerator<TarStreamInput> {
  const layers = blobs.filter(({ role }) => role === "layer");
  const bytes = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  for (const blob of blobs) {
    const { descriptor } = blob;
    const layer = layers.indexOf(blob);
    const onBytes = (delta: number) => {
      if (layer >= 0) onProgress({ type: "bytes", layer, delta });
    };
    const explain = (error: unknown) => layer < 0 ? error : layerError(error, layer, layers.length);
    const content = foreignOr(descriptor, false, () => attempt(blob.content, explain));
    done({ descriptor, leftOut: content === null });
    if (content === null) continue;
    const how = { engine, onBytes, ...(signal === undefined ? {} : { signal }) };
    const pieces = explained(verifiedPieces(content, descriptor, how), explain);
    const readable = ReadableStream.from(pieces);
    yield { ...entryOf(blobName(descriptor)), type: "file", size: descriptor.size, readable };
    if (layer >= 0) onProgress({ type: "layer", layer });
  }
  onProgress({ type: "end" });
}

/** Makes of an error one that says more. */
type Explain = (error: unknown) => unknown;

function attempt<T>(action: () => T, explain: Explain): T {
  try {
    return action();
  } catch (error) {
    throw explain(error);
  }
}

async function* explained<T>(items: AsyncIterable<T>, explain: Explain): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw explain(error);
  }
}

function entryOf(name: string): Pick<TarStreamInput, "path" | "options"> {
  return { path: name, options: { mtime: MTIME } };
}

function directoryOf(name: string): TarStreamInput {
  return { ...entryOf(name), type: "directory" };
}

function fileOf(name: string, bytes: Uint8Array): TarStreamInput {
  // A copy, as a Blob's stream wants memory that no other thread can change.
  const readable = new Blob([new Uint8Array(bytes)]).stream();
  return { ...entryOf(name), type: "file", size: bytes.length, readable };
}

function blobName({ digest }: Descriptor): string {
  return `blobs/${algorithmName(digest)}/${digestHex(digest)}`;
}
