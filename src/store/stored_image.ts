/**
 * What came into a store.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import type { Platform } from "../oci/platform.ts";

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
  /** Of the configuration; null where the images of all platforms came. */
  readonly configDigest: Digest | null;
  /** That of the configuration, likewise. */
  readonly platform: Platform | null;
  /** How many it has. */
  readonly layers: number;
  /** Bytes of its blobs, compressed as they are. */
  readonly bytes: number;
  /** What was written. */
  readonly copied: BlobCount;
  /** What the store had already. */
  readonly reused: BlobCount;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** An image that was made here, of one platform. */
export interface MadeImage extends PulledImage {
  /** Of the new configuration. */
  readonly configDigest: Digest;
  /** That of the image that it was made of. */
  readonly platform: Platform;
}
