/**
 * Images that go into an image layout, which is made where it is missing.
 *
 *     oci-layout, index.json, blobs/   the layout
 *     .layerfs/                        blobs in the making; gone afterwards
 *
 * Other images of the layout stay as they are. A kill leaves the old index.json, whole blobs, and
 * litter in .layerfs/ that the next copy sweeps.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { namesIn, removeDirectory } from "../files.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import type { LayoutReference } from "../oci/reference.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import { LayoutSource } from "../source/layout_source.ts";
import { BlobStore } from "../store/blobs.ts";
import { encodeDescriptor } from "../store/image_documents.ts";
import { FileLock } from "../store/lock.ts";
import { PUBLIC } from "../store/modes.ts";
import { Staging, sweepStaging } from "../store/staging.ts";
import { type IndexEntry, StoreIndex } from "../store/store_index.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { ImageGraph } from "./graph.ts";
import type { ImageSink, Transfer, TransferWork } from "./sink.ts";
import { blobTarget } from "./store_sink.ts";
import { writeBlobs } from "./write_blobs.ts";

/** Names of all that layerfs itself makes in a layout. */
const OWN: ReadonlySet<string> = new Set(
  ["index.json", "index.json.new", "oci-layout.new", "blobs", ".layerfs"],
);

/** An image of a layout directory. */
export class LayoutSink implements ImageSink {
  readonly reference: string;
  readonly #wanted: LayoutReference;
  readonly #annotations: Readonly<Record<string, string>>;

  /** @param annotations what the entry of index.json gets beside the tag */
  constructor(wanted: LayoutReference, annotations: Readonly<Record<string, string>> = {}) {
    this.#wanted = wanted;
    this.#annotations = annotations;
    this.reference = `oci:${wanted.path}${wanted.tag === undefined ? "" : `:${wanted.tag}`}`;
  }

  async write(graph: ImageGraph, work: TransferWork): Promise<Transfer> {
    const { signal } = work;
    const directory = this.#makeDirectory();
    const lock = (signal?: AbortSignal) => FileLock.waitForDirectory(directory, signal);
    const index = new StoreIndex(directory, { modes: PUBLIC, wait: lock });
    await index.initialize(signal);
    // Refuses a layout of another version before anything is written to it.
    new LayoutSource(new LayoutDirectory(directory), { transport: "oci", path: directory }).close();
    const blobs = new BlobStore(directory, PUBLIC);
    await using staging = await LayoutStaging.create(directory, lock, signal);
    const target = blobTarget(blobs, { staging: staging.path, engine: work.engine });
    const transfer = await writeBlobs(graph, target, work);
    await index.update((entries) => this.#replace(entries, graph.roots), signal);
    return transfer;
  }

  /** The entries with the tag give way to the new ones; without a tag, those of the same content. */
  #replace(entries: readonly IndexEntry[], roots: readonly Descriptor[]): unknown[] {
    const { tag } = this.#wanted;
    const isOld = ({ descriptor }: IndexEntry) => {
      if (descriptor === null || descriptor.annotations?.[REF_NAME] !== tag) return false;
      return tag !== undefined || roots.some(({ digest }) => digest === descriptor.digest);
    };
    const annotations = tag === undefined
      ? this.#annotations
      : { [REF_NAME]: tag, ...this.#annotations };
    const added = Object.keys(annotations).length === 0 ? {} : { annotations };
    return [
      ...entries.filter((entry) => !isOld(entry)).map(({ json }) => json),
      ...roots.map((root) => encodeDescriptor({ ...root, ...added })),
    ];
  }

  /** @returns the absolute path, without symlinks */
  #makeDirectory(): string {
    const { path } = this.#wanted;
    const action = `Cannot write image layout "${path}"`;
    try {
      Deno.mkdirSync(path, { recursive: true, mode: PUBLIC.directory });
      const directory = Deno.realPathSync(path);
      const names = namesIn(directory);
      // What was killed in its beginnings has no oci-layout yet.
      if (names.includes("oci-layout") || names.every((name) => OWN.has(name))) return directory;
    } catch (error) {
      throw storageError(error, action);
    }
    throw new LayerfsError(
      "conflict",
      `${action}: it is a directory with other things in it, and no image layout; name another`,
      { path },
    );
  }
}

/** Takes the lock of a layout. */
type Lock = (signal?: AbortSignal) => Promise<FileLock>;

/** The place in a layout where its blobs are made. */
class LayoutStaging implements AsyncDisposable {
  readonly #parent: string;
  readonly #staging: Staging;
  readonly #lock: Lock;

  private constructor(parent: string, staging: Staging, lock: Lock) {
    this.#parent = parent;
    this.#staging = staging;
    this.#lock = lock;
  }

  static async create(layout: string, lock: Lock, signal?: AbortSignal): Promise<LayoutStaging> {
    const parent = `${layout}/.layerfs`;
    try {
      using _held = await lock(signal);
      Deno.mkdirSync(parent, { recursive: true, mode: 0o700 });
      await sweepStaging(parent, () => Promise.resolve());
      return new LayoutStaging(parent, Staging.create(parent), lock);
    } catch (error) {
      throw storageError(error, `Cannot write image layout "${layout}"`);
    }
  }

  /** Absolute path of the directory. */
  get path(): string {
    return this.#staging.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#staging[Symbol.asyncDispose]();
    using _held = await this.#lock();
    try {
      removeDirectory(this.#parent);
    } catch (error) {
      // Others work there too, or the last of them has just removed it.
      if (!["ENOTEMPTY", "ENOENT"].includes(errnoName(error))) throw error;
    }
  }
}
