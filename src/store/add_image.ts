/**
 * Puts an image that was made here into the store: its new layer, its config, its manifest, its name.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import type { PackedLayer } from "../layer/pack.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Platform } from "../oci/platform.ts";
import type { AddOptions } from "./blobs.ts";
import { type Document, encodeManifest, totalBytes } from "./image_documents.ts";
import { type ImageStore, splitStoreTag } from "./images.ts";
import type { MadeImage, PulledImage } from "./stored_image.ts";

/** gzip's own choice between size and time. */
export const DEFAULT_LEVEL = 6;

/** A layer that was packed, and what applying it takes. */
export interface NewLayer {
  readonly content: BlobLocation;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  /** Of it on top of those below it. */
  readonly chainId: Digest;
}

/** An image that was made here. */
export interface NewImage {
  /** As `parseStoreTag` gives it. */
  readonly tag: string;
  readonly platform: Platform;
  readonly config: Document;
  /** Layers below the new one, base first, whose blobs the store has. */
  readonly lower: readonly Descriptor[];
  /** What was done for those. */
  readonly counts: Pick<PulledImage, "copied" | "reused">;
  /** The new layer, in a file of the store's filesystem, which is gone afterwards. */
  readonly packed: PackedLayer & {
    readonly path: string;
    /** 0 where it is not compressed. */
    readonly level: number;
    readonly chainId: Digest;
  };
  /** Called with the new layer before the image gets its name; what it throws prevents that. */
  readonly beforeTag?: (layer: NewLayer) => Promise<void>;
}

/** Nothing done. */
export const NO_COUNTS: Pick<PulledImage, "copied" | "reused"> = {
  copied: { blobs: 0, bytes: 0 },
  reused: { blobs: 0, bytes: 0 },
};

/** Adds the blobs, and tags the image last, when all of it is there. */
export async function addImage(
  store: ImageStore,
  image: NewImage,
  how: AddOptions,
): Promise<MadeImage> {
  const { packed, config, tag, platform } = image;
  const layer: Descriptor = {
    mediaType: `application/vnd.oci.image.layer.v1.tar${packed.level === 0 ? "" : "+gzip"}`,
    digest: packed.digest,
    size: packed.size,
  };
  const layers = [...image.lower, layer];
  const manifest = encodeManifest(config.descriptor, layers);
  const counts = { copied: { ...image.counts.copied }, reused: { ...image.counts.reused } };
  const count = (added: "copied" | "reused", size: number) => {
    counts[added].blobs++;
    counts[added].bytes += size;
  };
  count(
    store.blobs.adopt(packed.path, { digest: layer.digest, bytes: layer.size }),
    layer.size,
  );
  for (const { bytes, descriptor } of [config, manifest]) {
    count(await store.blobs.add(bytes, descriptor.digest, how), bytes.length);
  }
  if (image.beforeTag !== undefined) {
    const content = store.blobs.locate(layer.digest);
    if (content === null) {
      const state = `blob ${layer.digest} is gone again; try again`;
      throw new LayerfsError("conflict", `Cannot make image "${tag}": ${state}`);
    }
    const { diffId, chainId } = packed;
    await image.beforeTag({ ...layer, content, diffId, chainId });
  }
  await store.tag({ ...manifest.descriptor, platform }, tag, how.signal);
  return {
    ...splitStoreTag(tag),
    digest: manifest.descriptor.digest,
    configDigest: config.descriptor.digest,
    platform,
    layers: layers.length,
    bytes: totalBytes([manifest.descriptor, config.descriptor, ...layers]),
    ...counts,
    warnings: packed.warnings,
  };
}
