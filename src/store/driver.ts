/**
 * What a storage driver does for a container.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { LayerBlob } from "../layer/unpack.ts";

/** The drivers that there are. */
export type DriverName = "zfs" | "overlay" | "directory";

/** A root filesystem to be made. */
export interface RootfsRequest {
  /** Absolute path of an existing, empty directory, which no other user can reach. */
  readonly rootfs: string;
  /** A directory for spool files on any filesystem, removed by the caller. */
  readonly scratch: string;
  /** The layers, the base first. */
  readonly layers: readonly LayerBlob[];
  readonly engine: DigestEngine;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/** What was done for it. */
export interface RootfsResult {
  /** Layers that the store had already, and layers applied now. */
  readonly reused: number;
  readonly applied: number;
  /** Bytes of the blobs read, and of the tar streams in them. */
  readonly compressed: number;
  readonly uncompressed: number;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** A way to store root filesystems. */
export interface Driver {
  readonly name: DriverName;
  /** Whether it can limit what a root filesystem takes. */
  readonly hasQuota: boolean;
  /**
   * Makes the root filesystem of a container. On an error the caller throws the directory away.
   *
   * @throws {LayerfsError} what is wrong with a layer, or with the storage
   */
  createRootfs(request: RootfsRequest): Promise<RootfsResult>;
}
