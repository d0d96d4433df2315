/**
 * A layer on its way to a tree: where its bytes come from, and what they must be.
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";

/** What a layer's blob must be. It can be sent to a worker. */
export interface LayerDigests {
  /** Digest of the blob; null where its archive names none, and only the diffID is verified. */
  readonly digest: Digest | null;
  /** Bytes of the blob as its descriptor says; null where there is no descriptor. */
  readonly size: number | null;
  /** Digest of the uncompressed tar stream; null where nobody says, as for a plain tar file. */
  readonly diffId: Digest | null;
}

/** A layer to be read. */
export interface LayerSource extends LayerDigests {
  readonly content: BlobContent;
}

/** Bytes that went through. */
export interface LayerBytes {
  /** Of the blob. */
  readonly compressed: number;
  /** Of the tar stream in it. */
  readonly uncompressed: number;
}

/** The error of bytes that have another digest than was announced. */
export function mismatch(
  what: "digest" | "diffID",
  found: Digest,
  announced: Digest,
): LayerfsError {
  return new LayerfsError("digest-mismatch", `${what} is ${found}, not ${announced}`, {
    found,
    announced,
  });
}
