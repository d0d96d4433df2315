/**
 * Images of an OCI image layout, in a directory or in an archive (image-spec image-layout.md).
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { Fields } from "../oci/fields.ts";
import { parseIndex } from "../oci/image_index.ts";
import type { LayoutReference } from "../oci/reference.ts";
import { parseJson, quote } from "../oci/strict_json.ts";
import { neededBy } from "./delta_annotation.ts";
import { readDocument, readReplaceable, readVerified, wrongSize } from "./document.ts";
import type { DescriptorSource } from "./source.ts";
import { walkIndexes } from "./index_walk.ts";
import { blobName, type LayoutFiles } from "./layout_files.ts";
import { listImages, selectDescriptors } from "./select_descriptors.ts";

/** The only version there is (image-layout.md, "oci-layout file"). */
const LAYOUT_VERSION = "1.0.0";

/** Characters of the name of another image that a message shows. */
const LONGEST_NAME = 500;

/** The images of a layout that a reference means. */
export class LayoutSource implements DescriptorSource {
  /** Which of the two kinds of source this is. */
  readonly kind = "oci";
  /** Its blobs are files. */
  readonly registry = null;
  /** As messages name it. */
  readonly reference: string;
  readonly #files: LayoutFiles;
  readonly #wanted: LayoutReference;

  /** @throws {LayerfsError} `image-invalid` or `unsupported` for what is not a layout */
  constructor(files: LayoutFiles, wanted: LayoutReference) {
    this.#files = files;
    this.#wanted = wanted;
    const tag = wanted.tag === undefined ? "" : `:${wanted.tag}`;
    const digest = wanted.digest === undefined ? "" : `@${wanted.digest}`;
    this.reference = `${wanted.transport}:${wanted.path}${tag}${digest}`;
    this.#checkVersion();
  }

  /** All entries of index.json, in order. */
  entries(): readonly Descriptor[] {
    const bytes = readReplaceable(() => this.#locateFile("index.json"), "index.json");
    // Where there is none, #locateFile has thrown.
    return parseIndex(bytes ?? new Uint8Array(0)).manifests;
  }

  async index(): Promise<readonly Descriptor[]> {
    const manifests = this.entries();
    const { digest } = this.#wanted;
    if (digest === undefined || manifests.some((entry) => entry.digest === digest)) {
      return selectDescriptors(manifests, this.#wanted);
    }
    return [await this.#findNested(manifests, digest)];
  }

  document(descriptor: Descriptor): Promise<Uint8Array> {
    return Promise.try(() => readVerified(descriptor, (wanted) => this.locate(wanted)));
  }

  locate(descriptor: Descriptor): BlobLocation {
    const { digest, size } = descriptor;
    const name = blobName(digest);
    const location = this.#files.locate(name);
    if (location === null) throw this.#missing(name, descriptor);
    if (location.length !== size) throw wrongSize(digest, size, location.length);
    return location;
  }

  /** Nothing is held open between calls. */
  close(): void {}

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  /** An entry of an index below index.json: a digest names it as well. */
  async #findNested(manifests: readonly Descriptor[], digest: Digest): Promise<Descriptor> {
    const document = (descriptor: Descriptor) => this.document(descriptor);
    for await (const descriptor of walkIndexes(manifests, document, () => true)) {
      if (descriptor.digest === digest) return descriptor;
    }
    throw new LayerfsError(
      "not-found",
      `Cannot find ${digest} in "${this.#files.path}": no index names it; there is ` +
        listImages(manifests),
      { digest },
    );
  }

  /** An image without all of its content is broken: no other image may stand in for it. */
  #missing(name: string, { digest, mediaType, urls }: Descriptor): LayerfsError {
    const url = urls?.[0];
    const [needed] = neededBy(this.entries());
    const hint = url !== undefined
      ? `it may be had from ${quote(url)}`
      : needed === undefined
      ? "copy the whole image"
      : `this is a delta, whose other layers are in "${
        needed.slice(0, LONGEST_NAME)
      }": copy that, and then this, to ` +
        "one place";
    return new LayerfsError(
      "image-invalid",
      `Cannot find ${digest} (${mediaType}) in "${this.#files.path}": there is no file "${name}"; ` +
        hint,
      { digest },
    );
  }

  /** A file of the layout's own, without which this is none. */
  #locateFile(name: string): BlobLocation {
    const location = this.#files.locate(name);
    if (location !== null) return location;
    throw new LayerfsError(
      "image-invalid",
      `Cannot read image layout "${this.#files.path}": it has no "${name}", so it is not an OCI ` +
        "image layout",
      { path: this.#files.path },
    );
  }

  #checkVersion(): void {
    const bytes = readDocument(this.#locateFile("oci-layout"), "oci-layout");
    const fields = new Fields("oci-layout", "", parseJson(bytes, "oci-layout"));
    const version = fields.string("imageLayoutVersion");
    if (version === LAYOUT_VERSION) return;
    throw new LayerfsError(
      "unsupported",
      `Cannot read image layout "${this.#files.path}": imageLayoutVersion is ${quote(version)}; ` +
        `layerfs reads "${LAYOUT_VERSION}"`,
    );
  }
}
