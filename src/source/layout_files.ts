/**
 * The files of an OCI image layout, wherever they are (image-spec image-layout.md).
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { type Digest, digestAlgorithm, digestHex } from "../oci/digest.ts";

/** Finds the files of a layout by their names in it, such as "index.json". */
export interface LayoutFiles {
  /** The directory or archive, as the user named it. */
  readonly path: string;
  /**
   * Where the regular file `name` is; null where nothing has that name.
   *
   * @throws {LayerfsError} `image-invalid` where it is no regular file
   */
  locate(name: string): BlobLocation | null;
}

/**
 * The name of a blob's file in a layout. Only digests of known algorithms become paths: theirs are
 * hex digits and nothing else.
 *
 * @throws {LayerfsError} `unsupported` for an algorithm that layerfs does not compute
 */
export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
