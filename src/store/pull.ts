/**
 * Copies an image into a store: manifest, config and layers, then the tag.
 *
 * Bytes and digests stay what they are, and every blob is verified by its digest as it is copied.
 * diffIDs are not: that a layer unpacks to what its config says is verified whenever it is applied.
 * Of an index, only the chosen platform's manifest comes along. A failure leaves no tag, and no
 * blob that is not whole.
 *
 * @module
 */

import fs from "node:fs";
import { detectCompression, MAGIC_BYTES } from "../blob/decompress.ts";
import { type BlobContent, isLocation } from "../blob/content.ts";
import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError, within } from "../errors.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import type { Platform } from "../oci/platform.ts";
import { parseImageName, parseReference, type Reference, storeTag } from "../oci/reference.ts";
import { readAt } from "../source/document.ts";
import { resolveFrom } from "../source/image.ts";
import { openSource } from "../source/open.ts";
import type { ResolvedImage, ResolvedLayer } from "../source/source.ts";
import { type AddOptions, digestLocation } from "./blobs.ts";
import { type Document, encodeManifest, totalBytes } from "./image_documents.ts";
import { type ImageStore, parseStoreTag, splitStoreTag } from "./images.ts";
import { Staging } from "./staging.ts";

/** What is to be copied. */
export interface PullOptions {
  /** Such as "oci:images:debian"; not a bare name. */
  readonly reference: string;
  /** NAME[:TAG] that the image gets; where it is absent, the one that its source gives it. */
  readonly as?: string;
  /** What the image must run on. */
  readonly platform: Platform;
  /** Who computes digests. */
  readonly engine: DigestEngine;
  /** Ends the work after the piece in hand. */
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** Blobs, and the bytes that they have together. */
export interface BlobCount {
  /** How many. */
  readonly blobs: number;
  /** Of all of them. */
  readonly bytes: number;
}

/** An image that came into a store. */
export interface PulledImage {
  /** Familiar name, such as "alpine". */
  readonly name: string;
  /** Such as "latest". */
  readonly tag: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the configuration. */
  readonly configDigest: Digest;
  /** That of the configuration. */
  readonly platform: Platform;
  /** How many it has. */
  readonly layers: number;
  /** Bytes of its blobs, compressed as they are. */
  readonly bytes: number;
  /** What was written. */
  readonly copied: BlobCount;
  /** What the store had already. */
  readonly reused: BlobCount;
}

/**
 * Copies the image that a reference names into the store, and tags it there.
 *
 * @throws {LayerfsError} `usage` where there is no name for it, `conflict`, all that resolving and
 * verifying an image throws, `storage-full`, `storage`, `interrupted`
 */
export async function pullImage(store: ImageStore, options: PullOptions): Promise<PulledImage> {
  const reference = parseReference(options.reference);
  if (options.as !== undefined) parseStoreTag(options.as);
  using source = openSource(reference);
  const image = await resolveFrom(source, options.platform);
  const tag = options.as === undefined ? ownTag(reference, image) : parseStoreTag(options.as);
  await store.initialize(options.signal);
  await using staging = Staging.create(`${store.path}/staging`);
  const counts = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 0, bytes: 0 } };
  const add = async (
    content: BlobContent | Uint8Array,
    digest: Digest,
    onBytes?: AddOptions["onBytes"],
  ) => {
    const { engine, signal } = options;
    const how = { staging: staging.path, engine, signal, onBytes };
    const count = counts[await store.blobs.add(content, digest, how)];
    count.blobs++;
    count.bytes += content.length;
  };
  const parts = await describeParts(image, options);
  await addLayers(image.layers, parts.layers, add, options.onProgress ?? (() => {}));
  await add(image.configBytes, parts.config.digest);
  await add(parts.manifest.bytes, parts.manifest.descriptor.digest);
  const { descriptor } = parts.manifest;
  await store.tag({ ...descriptor, platform: image.platform }, tag, options.signal);
  return {
    ...splitStoreTag(tag),
    digest: descriptor.digest,
    configDigest: parts.config.digest,
    platform: image.platform,
    layers: parts.layers.length,
    bytes: totalBytes([descriptor, parts.config, ...parts.layers]),
    ...counts,
  };
}

/**
 * Copies the layers of an image into the store, without a name or a manifest.
 *
 * @returns their descriptors, base first
 */
export async function addLayerBlobs(
  store: ImageStore,
  image: ResolvedImage,
  how: AddOptions & Pick<PullOptions, "onProgress">,
): Promise<Pick<PulledImage, "copied" | "reused"> & { readonly layers: readonly Descriptor[] }> {
  const counts = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 0, bytes: 0 } };
  const { layers } = await describeParts(image, how);
  await addLayers(image.layers, layers, async (content, digest, onBytes) => {
    const count = counts[await store.blobs.add(content, digest, { ...how, onBytes })];
    count.blobs++;
    count.bytes += content.length;
  }, how.onProgress ?? (() => {}));
  return { layers, ...counts };
}

type AddBlob = (
  content: BlobContent,
  digest: Digest,
  onBytes: (delta: number) => void,
) => Promise<void>;

async function addLayers(
  layers: readonly ResolvedLayer[],
  descriptors: readonly Descriptor[],
  add: AddBlob,
  onProgress: ProgressListener,
): Promise<void> {
  const bytes = descriptors.reduce((sum, { size }) => sum + size, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  for (const [layer, { digest }] of descriptors.entries()) {
    try {
      // As many layers as descriptors: these are made of those.
      const { content } = layers[layer] as ResolvedLayer;
      await add(content, digest, (delta) => onProgress({ type: "bytes", layer, delta }));
    } catch (error) {
      throw within(error, `Cannot copy layer ${layer + 1} of ${layers.length}`, {
        layer: layer + 1,
      });
    }
    onProgress({ type: "layer", layer });
  }
  onProgress({ type: "end" });
}

/** The documents of an image, and the descriptors that its manifest has. */
interface Parts {
  readonly manifest: Document;
  readonly config: Descriptor;
  /** Base first. */
  readonly layers: readonly Descriptor[];
}

/**
 * A docker-archive has no manifest: it gets one in OCI's types, as skopeo makes it. The config keeps
 * its bytes, and with them its digest, which is Docker's image ID; its type is OCI's too, as umoci
 * takes no manifest that mixes the two, and a Docker config is an OCI config with more members.
 * (skopeo writes the config anew, without those.)
 */
async function describeParts(
  image: ResolvedImage,
  how: Pick<AddOptions, "engine" | "signal">,
): Promise<Parts> {
  const { manifest, manifestBytes, digest, configBytes } = image;
  if (manifest !== null && manifestBytes !== null && digest !== null) {
    const descriptor = { mediaType: manifest.mediaType, digest, size: manifestBytes.length };
    const { config, layers } = manifest;
    return { manifest: { bytes: manifestBytes, descriptor }, config, layers };
  }
  const layers: Descriptor[] = [];
  for (const layer of image.layers) layers.push(await describeLayer(layer, how));
  const config = {
    mediaType: OCI_CONFIG,
    digest: image.configDigest,
    size: configBytes.length,
  };
  return { manifest: encodeManifest(config, layers), config, layers };
}

async function describeLayer(
  { content, digest, diffId }: ResolvedLayer,
  how: Pick<AddOptions, "engine" | "signal">,
): Promise<Descriptor> {
  if (!isLocation(content)) throw new TypeError("only layers of archives have no descriptors");
  const compression = compressionOf(content);
  const suffix = compression === "none" ? "" : `+${compression}`;
  // A plain tar's digest is its diffID: so nothing is read twice, and a wrong one is found here.
  const known = digest ?? (compression === "none" ? diffId : null);
  return {
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    digest: known ?? await digestLocation(content, how),
    size: content.length,
  };
}

function compressionOf(location: BlobLocation): ReturnType<typeof detectCompression> {
  const { fd } = openRegularFile(location.path);
  try {
    const head = new Uint8Array(Math.min(MAGIC_BYTES, location.length));
    readAt(fd, head, location.offset);
    return detectCompression(head);
  } finally {
    fs.closeSync(fd);
  }
}

/** The name that the source itself has for the image. */
function ownTag(reference: Reference, image: ResolvedImage): string {
  if (reference.transport === "docker-archive" && reference.name !== undefined) {
    return storeTag(reference.name);
  }
  for (const tag of image.tags) {
    const name = nameOrNull(tag);
    if (name !== null) return name;
  }
  const [first] = image.tags;
  throw new LayerfsError(
    "usage",
    `Cannot name the image "${image.reference}": ` +
      (first === undefined ? "it has no tag" : `its tag "${first}" is no image name`) +
      "; give it one with --as NAME[:TAG]",
    { reference: image.reference },
  );
}

function nameOrNull(tag: string): string | null {
  try {
    const name = parseImageName(tag);
    return name.digest === undefined ? storeTag(name) : null;
  } catch (error) {
    if (error instanceof LayerfsError) return null;
    throw error;
  }
}
