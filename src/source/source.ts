/**
 * What an image source is, and what resolving an image in it gives.
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import type { BlobLocation } from "../blob/location.ts";
import type { ImageConfig } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Platform } from "../oci/platform.ts";
import type { ImageName } from "../oci/reference.ts";

/** A source whose images hang on descriptors: a layout, an archive of one, a registry. */
export interface DescriptorSource extends AsyncDisposable {
  /** Tells the two kinds of source apart. */
  readonly kind: "oci";
  /** The repository of a registry that its blobs come from; null where they are files. */
  readonly registry: ImageName | null;
  /** As messages name it, such as "oci:images:debian". */
  readonly reference: string;
  /**
   * The descriptors that the reference means, in order: one, or several of one tag that differ by
   * platform.
   *
   * @throws {LayerfsError} `not-found` or `conflict`, listing what there is
   */
  index(): Promise<readonly Descriptor[]>;
  /**
   * All of a small blob (manifest, index, config), its size and then its digest verified.
   *
   * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`, `image-invalid` where it is missing,
   * or `unsupported` for a digest that layerfs does not compute
   */
  document(descriptor: Descriptor): Promise<Uint8Array>;
  /**
   * Where the bytes of a blob are, or what brings them, of the size that the descriptor says; their
   * digest is not verified.
   *
   * @throws {LayerfsError} `image-invalid` where it is missing, `size-mismatch`
   */
  locate(descriptor: Descriptor): BlobContent;
  /** Frees what the source holds; it must not be used after. */
  close(): void | Promise<void>;
}

/**
 * A `docker save` archive: its images have a config and layers; manifest and digests only where the
 * archive is an image layout as well.
 */
export interface DockerSource extends AsyncDisposable {
  /** Tells the two kinds of source apart. */
  readonly kind: "docker-archive";
  /** As messages name it, such as "docker-archive:a.tar:docker.io/library/alpine:latest". */
  readonly reference: string;
  /** The image that the reference means. */
  image(): Promise<DockerImage>;
  /**
   * The manifest of that image; null where the archive has none.
   *
   * @throws {LayerfsError} what is wrong with the layout that the archive is as well
   */
  manifest(): Promise<DockerManifest | null>;
  /** Frees what the source holds; it must not be used after. */
  close(): void | Promise<void>;
}

/** Where an image comes from. */
export type ImageSource = DescriptorSource | DockerSource;

/** One image of a `docker save` archive. */
export interface DockerImage {
  /** Of the configuration. */
  readonly configDigest: Digest;
  /** The configuration. */
  readonly config: ImageConfig;
  /** Its bytes. */
  readonly configBytes: Uint8Array;
  /** RepoTags, as they stand in the archive. */
  readonly tags: readonly string[];
  /** As many as the config has diffIDs, base first. */
  readonly layers: readonly DockerLayer[];
}

/** A manifest that a `docker save` archive has of its image, verified. */
export interface DockerManifest {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  /** The manifest. */
  readonly bytes: Uint8Array;
  /** What it says of the configuration. */
  readonly config: Descriptor;
  /** What it says of the layers: the image's, in their order. */
  readonly layers: readonly Descriptor[];
}

/** One layer of a `docker save` archive. */
export interface DockerLayer {
  /** Where its bytes are. */
  readonly location: BlobLocation;
  /** Of the bytes in the archive, where its name tells it (Docker 25 and later). */
  readonly digest: Digest | null;
}

/** An image whose documents are read, verified and found to agree with one another. */
export interface ResolvedImage {
  /** As it was asked for. */
  readonly reference: string;
  /** Of the manifest; null for a docker-archive, which has none. */
  readonly digest: Digest | null;
  /** Its manifest, likewise. */
  readonly manifest: Manifest | null;
  /** The manifest's bytes, likewise. */
  readonly manifestBytes: Uint8Array | null;
  /** Tags that its source gives it; empty where it has none. */
  readonly tags: readonly string[];
  /** Of the configuration. */
  readonly configDigest: Digest;
  /** The configuration. */
  readonly config: ImageConfig;
  /** Its bytes, which hold members that {@linkcode config} leaves out. */
  readonly configBytes: Uint8Array;
  /** That of the config, normalised. */
  readonly platform: Platform;
  /** Base first. */
  readonly layers: readonly ResolvedLayer[];
  /** Of the whole stack; null for an image without layers. */
  readonly chainId: Digest | null;
}

/** One layer: where its bytes come from, and what they and their content must be. */
export interface ResolvedLayer {
  /** Where its bytes come from. */
  readonly content: BlobContent;
  /** Null for a docker-archive. */
  readonly descriptor: Descriptor | null;
  /** Of the bytes as they are stored; null where nothing says it, and only the diffID is known. */
  readonly digest: Digest | null;
  /** Bytes stored, likewise. */
  readonly size: number | null;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** Of this layer on top of those below it. */
  readonly chainId: Digest;
}
