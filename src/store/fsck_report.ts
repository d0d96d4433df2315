/**
 * What fsck reports.
 *
 * @module
 */

import type { WaitingLayer } from "./driver.ts";

/** The kinds of problems. */
export type ProblemKind =
  /** Something a dead process has left. */
  | "litter"
  /** A dataset of the store's own, which all others of a kind are in. */
  | "missing-dataset"
  /** A layer's name without a whole layer, or one whose parent is gone. */
  | "broken-layer"
  /** A layer whose files or attributes are not those of its image. */
  | "altered-layer"
  /** A layer whose contents cannot be checked. */
  | "unverifiable-layer"
  /** A root filesystem without a container's record. */
  | "missing-record"
  /** A container's record without a root filesystem. */
  | "missing-rootfs"
  /** A container whose layers are not all there. */
  | "missing-layer"
  /** A container's record that cannot be read, or a bundle without one. */
  | "damaged-record"
  /** A mount in the store that belongs to no container and no layer, or is over one. */
  | "stray-mount"
  /** A blob that an image needs is missing or not what its digest says; a damaged document. */
  | "damaged-image";

/** Something that is not as it should be. */
export interface Problem {
  /** Tells them apart, for programs. */
  readonly kind: ProblemKind;
  /** What it is about: an id, a ChainID, a path. */
  readonly subject: string;
  /** For people to read. */
  readonly detail: string;
  /** Whether it was mended. */
  readonly repaired: boolean;
}

/** What `fsck --json` prints. */
export interface FsckResult {
  /** How many of each were looked at. */
  readonly checked: {
    readonly layers: number;
    readonly contents: number;
    readonly containers: number;
    readonly images: number;
    readonly blobs: number;
  };
  /** In the order in which they were found. */
  readonly problems: readonly Problem[];
  /** Removed layers that something outside of the store still uses: no problem of the store's. */
  readonly waiting: readonly WaitingLayer[];
}
