/**
 * Reads all that an entry of index.json leads to, however damaged it is: what cannot be read is
 * told, and the rest goes on.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../errors.ts";
import { chainIds } from "../core/chain_id.ts";
import { checkLayerCount, type ImageConfig, parseConfig } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isConfig, isManifest } from "../oci/media_type.ts";
import { walkIndexes } from "../source/index_walk.ts";
import type { LayoutSource } from "../source/layout_source.ts";

/** What is wrong with an image of a store. */
export interface ImageProblem {
  /** Tag of the image, such as "alpine:latest"; null where it has none. */
  readonly tag: string | null;
  /** Of the blob that is missing or damaged; null where index.json itself is wrong there. */
  readonly digest: Digest | null;
  readonly code: ErrorCode;
  /** For people to read. */
  readonly detail: string;
}

/** A manifest, with what could be read of its image. */
export interface ReadImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** Null for what is no container image, and where the config is missing or damaged. */
  readonly config: ImageConfig | null;
  /** Of each layer on top of those below it, base first; empty without a config. */
  readonly chainIds: readonly Digest[];
}

const NOTHING = new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}');

/** Reads images of a store. */
export class ImageReader {
  readonly #source: LayoutSource;
  readonly #report: (problem: ImageProblem) => void;
  /** Whether every index, manifest and config that there should be could be read. */
  complete = true;

  /** @param report takes what is wrong; must not throw */
  constructor(source: LayoutSource, report: (problem: ImageProblem) => void) {
    this.#source = source;
    this.#report = report;
  }

  /** Gives `entry` and what is listed below it, an index before its entries. */
  async *walk(entry: Descriptor, tag: string | null): AsyncGenerator<Descriptor> {
    const read = async (index: Descriptor) => {
      const bytes = await this.#attempt(tag, index.digest, async () => {
        const bytes = await this.#source.document(index);
        parseIndex(bytes, index.mediaType);
        return bytes;
      });
      if (bytes === null) this.complete = false;
      return bytes ?? NOTHING;
    };
    try {
      yield* walkIndexes([entry], read, () => true);
    } catch (error) {
      this.#tell(tag, entry.digest, error);
      this.complete = false;
    }
  }

  /** Reads a manifest and its config; null where the manifest cannot be read. */
  async read(descriptor: Descriptor, tag: string | null): Promise<ReadImage | null> {
    const manifest = await this.#attempt(
      tag,
      descriptor.digest,
      async () => parseManifest(await this.#source.document(descriptor), descriptor.mediaType),
    );
    if (manifest === null) {
      this.complete = false;
      return null;
    }
    const isImage = isManifest(descriptor.mediaType) && isConfig(manifest.config.mediaType);
    const config = isImage ? await this.#config(manifest, tag) : null;
    if (isImage && config === null) this.complete = false;
    return { descriptor, manifest, config, chainIds: chainIds(config?.rootfs.diffIds ?? []) };
  }

  /** Tells which of `descriptors` have no blob of their size. */
  async checkPresence(descriptors: readonly Descriptor[], tag: string | null): Promise<void> {
    for (const descriptor of descriptors) {
      await this.#attempt(tag, descriptor.digest, () => this.#source.locate(descriptor));
    }
  }

  async #config(manifest: Manifest, tag: string | null): Promise<ImageConfig | null> {
    return await this.#attempt(tag, manifest.config.digest, async () => {
      const config = parseConfig(await this.#source.document(manifest.config));
      checkLayerCount(config, manifest.layers.length);
      return config;
    });
  }

  async #attempt<T>(
    tag: string | null,
    digest: Digest,
    action: () => T | Promise<T>,
  ): Promise<T | null> {
    try {
      return await action();
    } catch (error) {
      this.#tell(tag, digest, error);
      return null;
    }
  }

  #tell(tag: string | null, digest: Digest, error: unknown): void {
    if (!(error instanceof LayerfsError) || error.code === "interrupted") throw error;
    this.#report({ tag, digest, code: error.code, detail: error.message });
  }
}
