/**
 * Merges the layers of an image into one: a new image of the whole tree, in the store.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { packTree } from "../layer/pack.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import type { Platform } from "../oci/platform.ts";
import { parseJson } from "../oci/strict_json.ts";
import type { ResolvedImage } from "../source/source.ts";
import { type Document, encodeDocument, encodeManifest, totalBytes } from "./image_documents.ts";
import { type ImageStore, parseStoreTag, splitStoreTag } from "./images.ts";
import type { PulledImage } from "./stored_image.ts";
import { Staging } from "./staging.ts";

/** gzip's own choice between size and time. */
const DEFAULT_LEVEL = 6;

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
  readonly beforeTag?: (layer: SquashedLayer) => Promise<void>;
}

/** The one layer of a squashed image. */
export interface SquashedLayer {
  readonly content: BlobLocation;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  /** The same: it is on top of nothing. */
  readonly chainId: Digest;
}

/** A squashed image. */
export interface SquashedImage extends PulledImage {
  /** Of the new configuration. */
  readonly configDigest: Digest;
  /** That of the image that it was made of. */
  readonly platform: Platform;
  /** Of its one layer. */
  readonly diffId: Digest;
  /** What was left out, for people to read. */
  readonly warnings: readonly string[];
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
  const created = epoch === undefined ? image.config.created : dateOf(epoch);
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
  const layer: Descriptor = {
    mediaType: `application/vnd.oci.image.layer.v1.tar${level === 0 ? "" : "+gzip"}`,
    digest: packed.digest,
    size: packed.size,
  };
  const config = squashedConfig(image, packed.diffId, created);
  const manifest = encodeManifest(config.descriptor, [layer]);
  const counts = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 0, bytes: 0 } };
  const count = (added: "copied" | "reused", size: number) => {
    counts[added].blobs++;
    counts[added].bytes += size;
  };
  count(store.blobs.adopt(path, { digest: layer.digest, bytes: layer.size }), layer.size);
  for (const { bytes, descriptor } of [config, manifest]) {
    const how = { staging: staging.path, engine, signal };
    count(await store.blobs.add(bytes, descriptor.digest, how), bytes.length);
  }
  const content = store.blobs.locate(layer.digest);
  if (content !== null) {
    const { diffId } = packed;
    await options.beforeTag?.({ ...layer, content, diffId, chainId: diffId });
  }
  await store.tag({ ...manifest.descriptor, platform: image.platform }, tag, signal);
  return {
    ...splitStoreTag(tag),
    digest: manifest.descriptor.digest,
    configDigest: config.descriptor.digest,
    platform: image.platform,
    layers: 1,
    bytes: totalBytes([manifest.descriptor, config.descriptor, layer]),
    ...counts,
    diffId: packed.diffId,
    warnings: packed.warnings,
  };
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

/** RFC 3339, in whole seconds. */
function dateOf(epoch: number): string {
  const date = new Date(epoch * 1000);
  if (Number.isSafeInteger(epoch) && epoch >= 0 && date.getFullYear() <= 9999) {
    return date.toISOString().replace(".000Z", "Z");
  }
  throw new LayerfsError(
    "usage",
    `Cannot use SOURCE_DATE_EPOCH: "${epoch}" is not a number of seconds since 1970`,
  );
}
