/**
 * Images of a store, by their names. The store's directory is itself an image layout, whose tags
 * are names: `alpine:latest` (see `storeTag`).
 *
 * Other programs may write there too, and spell a tag as they like: `alpine` and
 * `docker.io/library/alpine:latest` are the same image.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import { familiarName, type ImageName, parseImageName, storeTag } from "../oci/reference.ts";
import { LayoutDirectory } from "./layout_directory.ts";
import { LayoutSource } from "./layout_source.ts";
import { listImages } from "./select_descriptors.ts";
import type { DescriptorSource } from "./source.ts";

/** An image of a store. */
export class StoreSource implements DescriptorSource {
  /** Which of the two kinds of source this is. */
  readonly kind = "oci";
  /** Its blobs are files. */
  readonly registry = null;
  /** As messages name it, such as "alpine:latest". */
  readonly reference: string;
  readonly #store: string;
  readonly #wanted: ImageName;
  readonly #layout: LayoutSource;

  /**
   * @param store path of the store
   * @throws {LayerfsError} `not-found` where there is no store, or none with images
   */
  constructor(store: string, wanted: ImageName) {
    this.#store = store;
    this.#wanted = wanted;
    this.reference = wanted.digest === undefined
      ? storeTag(wanted)
      : `${familiarName(wanted)}@${wanted.digest}`;
    const files = this.#open();
    if (files?.locate("index.json") == null) throw this.#absent("no image");
    const { digest } = wanted;
    const layout = { transport: "oci" as const, path: store };
    this.#layout = new LayoutSource(files, digest === undefined ? layout : { ...layout, digest });
  }

  /** A digest says which content is meant: the name and the tag beside it choose nothing more. */
  async index(): Promise<readonly Descriptor[]> {
    const entries = this.#layout.entries();
    if (this.#wanted.digest === undefined) {
      const found = findTagged(entries, storeTag(this.#wanted));
      if (found.length > 0) return found;
      throw this.#absent(listImages(entries));
    }
    try {
      return await this.#layout.index();
    } catch (error) {
      if (!(error instanceof LayerfsError) || error.code !== "not-found") throw error;
      throw this.#absent(listImages(entries));
    }
  }

  document(descriptor: Descriptor): Promise<Uint8Array> {
    return this.#layout.document(descriptor);
  }

  locate(descriptor: Descriptor): BlobLocation {
    return this.#layout.locate(descriptor);
  }

  /** Nothing is held open between calls. */
  close(): void {}

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  #open(): LayoutDirectory | null {
    try {
      return new LayoutDirectory(this.#store);
    } catch (error) {
      if (error instanceof LayerfsError && error.code === "not-found") return null;
      throw error;
    }
  }

  #absent(present: string): LayerfsError {
    const name = this.reference;
    return new LayerfsError(
      "not-found",
      `Cannot find image "${name}" in the store "${this.#store}": there is ${present}; get it with ` +
        `layerfs pull ${name}, or layerfs pull oci:DIR:TAG --as ${storeTag(this.#wanted)}`,
      { reference: name, path: this.#store },
    );
  }
}

/** The tag of an index.json entry in the form of {@linkcode storeTag}; as it is where it is none. */
export function tagOfEntry({ annotations }: Descriptor): string | null {
  const spelled = annotations?.[REF_NAME];
  if (spelled === undefined) return null;
  try {
    const name = parseImageName(spelled);
    return name.digest === undefined ? storeTag(name) : spelled;
  } catch (error) {
    if (error instanceof LayerfsError) return spelled;
    throw error;
  }
}

/**
 * The images among `entries` that have `tag`, whatever its spelling; where some have it exactly,
 * these only. Several differ by platform.
 */
export function findTagged(entries: readonly Descriptor[], tag: string): readonly Descriptor[] {
  const found = entries.filter((entry) =>
    (isManifest(entry.mediaType) || isIndex(entry.mediaType)) && tagOfEntry(entry) === tag
  );
  const exact = found.filter(({ annotations }) => annotations?.[REF_NAME] === tag);
  return exact.length > 0 ? exact : found;
}
