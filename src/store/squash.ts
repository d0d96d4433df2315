/**
 * Merges the layers of an image into one: a new image of the whole tree, in the store.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import { packTree } from "../layer/pack.ts";
import type { Digest } from "../oci/digest.ts";
import { dateOfEpoch } from "../oci/date_time.ts";
import { isObject } from "../oci/fields.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import { parseJson } from "../oci/strict_json.ts";
import type { ResolvedImage } from "../source/source.ts";
import { addImage, DEFAULT_LEVEL, type NewLayer, NO_COUNTS } from "./add_image.ts";
import { type Document, encodeDocument } from "./image_documents.ts";
import { type ImageStore, parseStoreTag } from "./images.ts";
import type { MadeImage } from "./stored_image.ts";
import { Staging } from "./staging.ts";

/** What is to be squashed. */
export interface SquashOptions {
  /** The image; of any source. */
  readonly image: ResolvedImage;
  /** Absolute path of a directory with its whole tree, which nobody changes meanwhile. */
  readonly root: string;
  /** NAME[:TAG] of the new image. */
  readonly name: string;
  /**
   * Seconds since 1970 (SOURCE_DATE_EPOCH): the new image's date of creation, and no time in the
   * layer is later. Without it the date is that of the image, so that the result is the same on
   * every run.
   */
  readonly epoch?: number;
  /** 1 (fast) to 9 (small) for gzip; 0 leaves the layer as it is. */
  readonly level?: number;
  /** Who computes digests. */
  readonly engine: DigestEngine;
  /** Ends the work. */
  readonly signal?: AbortSignal;
  /** Called with the new layer before the image gets its name; what it throws prevents that. */
  readonly beforeTag?: (layer: NewLayer) => Promise<void>;
}

/** A squashed image. */
export interface SquashedImage extends MadeImage {
  /** Of its one layer. */
  readonly diffId: Digest;
}

/**
 * Packs the tree, makes a config and a manifest of it in OCI's types, and tags that. The config is
 * the image's own with all its members but the layers and their history.
 *
 * @throws {LayerfsError} `usage` for what is no NAME[:TAG], and as `packTree`
 */
export async function squashImage(
  store: ImageStore,
  options: SquashOptions,
): Promise<SquashedImage> {
  const tag = parseStoreTag(options.name);
  const { image, engine, signal, epoch } = options;
  const created = epoch === undefined ? image.config.created : dateOfEpoch(epoch);
  await store.initialize(signal);
  await using staging = Staging.create(`${store.path}/staging`);
  const path = `${staging.path}/layer`;
  const level = options.level ?? DEFAULT_LEVEL;
  const packed = await packTree(options.root, path, {
    algorithm: "sha256",
    engine,
    level,
    latest: epoch,
    signal,
  });
  const config = squashedConfig(image, packed.diffId, created);
  const made = await addImage(store, {
    tag,
    platform: image.platform,
    config,
    lower: [],
    counts: NO_COUNTS,
    packed: { ...packed, path, level, chainId: packed.diffId },
    ...(options.beforeTag === undefined ? {} : { beforeTag: options.beforeTag }),
  }, { staging: staging.path, engine, signal });
  return { ...made, diffId: packed.diffId };
}

function squashedConfig(
  image: ResolvedImage,
  diffId: Digest,
  date: string | undefined,
): Document {
  const json = parseJson(image.configBytes, "config");
  if (!isObject(json)) throw new TypeError("the config of a resolved image is an object");
  const created = date === undefined ? {} : { created: date };
  return encodeDocument(OCI_CONFIG, {
    ...json,
    ...created,
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ ...created, created_by: "layerfs squash" }],
  });
}
