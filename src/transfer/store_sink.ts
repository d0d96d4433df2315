/**
 * Images that go into a store.
 *
 * @module
 */

import { isLocation } from "../blob/content.ts";
import type { DigestEngine } from "../core/hasher.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestHex } from "../oci/digest.ts";
import type { BlobStore } from "../store/blobs.ts";
import type { ImageStore } from "../store/images.ts";
import { FileLock } from "../store/lock.ts";
import { PRIVATE } from "../store/modes.ts";
import { Staging } from "../store/staging.ts";
import type { ImageGraph } from "./graph.ts";
import type { ImageSink, Transfer, TransferWork } from "./sink.ts";
import { type BlobTarget, writeBlobs } from "./write_blobs.ts";

/** A name in a store. */
export class StoreSink implements ImageSink {
  readonly reference: string;
  readonly #store: ImageStore;
  readonly #tag: string;

  /** @param tag in full, as `parseStoreTag` gives it */
  constructor(store: ImageStore, tag: string) {
    this.#store = store;
    this.#tag = tag;
    this.reference = tag;
  }

  async write(graph: ImageGraph, work: TransferWork): Promise<Transfer> {
    const { engine, signal } = work;
    await this.#store.initialize(signal);
    const locks = `${this.#store.path}/locks`;
    Deno.mkdirSync(locks, { recursive: true, mode: PRIVATE.directory });
    await using staging = Staging.create(`${this.#store.path}/staging`);
    const target = blobTarget(this.#store.blobs, { staging: staging.path, engine, locks });
    const transfer = await writeBlobs(graph, target, work);
    // One image takes the place of one for its platform; several together are all there is.
    const [root] = graph.roots;
    if (root !== undefined && graph.roots.length === 1) {
      await this.#store.tag(root, this.#tag, signal);
    } else await this.#store.retag(graph.roots, this.#tag, signal);
    return transfer;
  }
}

/** How blobs are written into a layout. */
export interface LayoutTargetOptions {
  /** Directory for files in the making. */
  readonly staging: string;
  /** What computes digests. */
  readonly engine: DigestEngine;
  /**
   * Directory for locks of blobs that come from afar: what several processes want is fetched by one
   * of them, while the others wait. Without it, each fetches its own.
   */
  readonly locks?: string;
}

/** The blobs of a layout, as a target. */
export function blobTarget(
  blobs: BlobStore,
  { staging, engine, locks }: LayoutTargetOptions,
): BlobTarget {
  return {
    isRemote: false,
    leavesForeign: false,
    has: ({ digest, size }) => blobs.has(digest, size),
    add: async (content, descriptor, { signal, onBytes }) => {
      const add = () => blobs.add(content, descriptor.digest, { staging, engine, signal, onBytes });
      if (locks === undefined || content instanceof Uint8Array || isLocation(content)) {
        return await add();
      }
      const lock = await FileLock.wait(lockPath(locks, descriptor), "exclusive", signal);
      try {
        return await add();
      } finally {
        lock.remove();
      }
    },
    addDocument: ({ bytes, descriptor }, signal) =>
      blobs.add(bytes, descriptor.digest, {
        staging,
        engine,
        ...(signal === undefined ? {} : { signal }),
      }),
  };
}

function lockPath(directory: string, { digest }: Descriptor): string {
  return `${directory}/blob-${digestHex(digest)}`;
}
