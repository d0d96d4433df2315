/**
 * Documents that layerfs writes itself: manifests of images that have none, descriptors, configs.
 * The same image gives the same bytes, so that it keeps its digest.
 *
 * @module
 */

import { digestBytes } from "../core/hasher.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { OCI_MANIFEST } from "../oci/media_type.ts";
import type { Platform } from "../oci/platform.ts";

/** A document, and the descriptor that points at it. */
export interface Document {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
}

/** Makes the document of `value`. */
export function encodeDocument(mediaType: string, value: unknown): Document {
  return describe(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

/** The document that `bytes` are. */
export function describe(mediaType: string, bytes: Uint8Array): Document {
  const digest = digestBytes(bytes, "sha256");
  return { bytes, descriptor: { mediaType, digest, size: bytes.length } };
}

/** An image manifest in OCI's types. */
export function encodeManifest(config: Descriptor, layers: readonly Descriptor[]): Document {
  return encodeDocument(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: encodeDescriptor(config),
    layers: layers.map(encodeDescriptor),
  });
}

/** A descriptor as it stands in a document. */
export function encodeDescriptor(descriptor: Descriptor): Record<string, unknown> {
  const { mediaType, digest, size, urls, annotations, data, platform, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(urls === undefined ? {} : { urls }),
    ...(data === undefined ? {} : { data: data.toBase64() }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: encodePlatform(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** An entry of index.json by which `descriptor` has `tag`. */
export function encodeEntry(descriptor: Descriptor, tag: string): Record<string, unknown> {
  return encodeDescriptor({
    ...descriptor,
    annotations: { ...descriptor.annotations, [REF_NAME]: tag },
  });
}

function encodePlatform(platform: Platform): Record<string, unknown> {
  const { os, architecture, variant, osVersion, osFeatures } = platform;
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { "os.version": osVersion }),
    ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
    ...(variant === undefined ? {} : { variant }),
  };
}

/** The size of each of `descriptors`, each content counted once, in bytes. */
export function totalBytes(descriptors: readonly Descriptor[]): number {
  const sizes = new Map<Digest, number>(descriptors.map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
