/**
 * The content of descriptors: points 5, 8, 18, 19, 21, 22 and 25.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { createHasher, digestBytes, type DigestEngine, formatDigest } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { readPiece } from "../files.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import {
  algorithmName,
  type Digest,
  digestAlgorithm,
  digestHex,
  isSupported,
} from "../oci/digest.ts";
import { readDocument } from "../source/document.ts";
import { storageError } from "../system_error.ts";
import type { Target } from "./descriptor.ts";
import { type Report, stateOf } from "./report.ts";
import type { Located, View } from "./view.ts";

/** Bytes read at once. */
const PIECE = 1024 * 1024;

/** The name in a layout of the blob with a digest of a known algorithm. */
export function blobName(digest: Digest): string {
  return `blobs/${algorithmName(digest)}/${digestHex(digest)}`;
}

/** The blobs of a source, each verified once. */
export class Contents {
  /** Digests that some descriptor names. */
  readonly referenced = new Set<Digest>();
  readonly #verified = new Set<Digest>();

  constructor(
    readonly view: View,
    readonly report: Report,
    readonly engine: DigestEngine,
  ) {}

  /** Where a file of the source is. */
  find(name: string): Located {
    try {
      const location = this.view.files.locate(name);
      return location === null ? null : { location };
    } catch (error) {
      if (error instanceof LayerfsError && error.code === "not-found") return null;
      return { problem: stateOf(error) };
    }
  }

  /** Where a descriptor's content is, if it is there; its size is compared, its digest not yet. */
  locate(target: Target): BlobLocation | null {
    const { digest, place, size, data } = target;
    if (digest === null) return null;
    this.referenced.add(digest);
    if (!isSupported(digest)) {
      this.report.warn(17, place, `content cannot be verified by ${algorithmName(digest)}`);
      return null;
    }
    const found = this.find(blobName(digest));
    if (found === null) {
      // Embedded content stands for the blob.
      if (data === null) this.report.broken(8, place, `${digest} is not here`);
      return null;
    }
    this.report.looked(8, "blobs found");
    if ("problem" in found) {
      this.report.fail(5, place, found.problem);
      return null;
    }
    if (size !== null) this.#compareSize(target, found.location.length, size);
    return found.location;
  }

  /** All of a manifest, index or config, right or wrong; null where it cannot be had. */
  document(target: Target): Uint8Array | null {
    const location = this.locate(target);
    const stored = location === null ? null : this.#read(location, target);
    if (stored !== null) this.#verifyDocument(target, stored);
    if (target.data !== null) this.#verifyData(target, target.data, stored);
    return stored ?? target.data;
  }

  /** Compares a blob's digest, computed elsewhere, with its name. */
  verify(digest: Digest, found: Digest, place: string): void {
    if (this.#verified.has(digest)) return;
    this.#verified.add(digest);
    this.report.looked(5, "blobs");
    this.report.looked(22, "contents");
    if (algorithmName(digest) === "sha256") this.report.looked(18, "contents");
    if (found === digest) return;
    this.report.fail(5, place, `the content of ${digest} has the digest ${found}`);
    this.report.broken(22, place, `digest is ${found}, not ${digest}`);
  }

  /** Reads a blob through and compares its digest, unless that was done. */
  verifyBlob(digest: Digest, location: BlobLocation, place: string): void {
    if (this.#verified.has(digest)) return;
    const hasher = createHasher(digestAlgorithm(digest), this.engine);
    readPieces(location, (piece) => hasher.update(piece));
    this.verify(digest, formatDigest(hasher.algorithm, hasher.digest()), place);
  }

  #compareSize({ place, digest }: Target, found: number, size: number): void {
    this.report.looked(21, "contents");
    if (found === size) return;
    const detail = `size is ${size}, ${digest} has ${found} bytes`;
    this.report.fail(19, place, detail);
    this.report.broken(21, place, detail);
  }

  #read(location: BlobLocation, target: Target): Uint8Array | null {
    if (location.length <= MAX_DOCUMENT_BYTES) return readDocument(location, target.place);
    this.report.fail(60, target.place, `it has ${location.length} bytes, too many for a document`);
    return null;
  }

  #verifyDocument({ digest, place }: Target, bytes: Uint8Array): void {
    if (digest === null) return;
    this.verify(digest, digestBytes(bytes, digestAlgorithm(digest), this.engine), place);
  }

  /** Point 25. */
  #verifyData({ digest, place, size }: Target, data: Uint8Array, stored: Uint8Array | null): void {
    if (digest === null || !isSupported(digest)) return;
    this.report.looked(25, "embedded contents");
    const found = digestBytes(data, digestAlgorithm(digest), this.engine);
    const same = stored === null || digestBytes(stored, digestAlgorithm(digest)) === found;
    if (found !== digest || !same) {
      this.report.broken(25, place, `data has the digest ${found}, not ${digest}`);
    } else if (size !== null && data.length !== size) {
      this.report.fail(19, place, `size is ${size}, data has ${data.length} bytes`);
    }
  }
}

/** Reads a range of a file in pieces; each is valid until the next one. */
export function readPieces(location: BlobLocation, onPiece: (piece: Uint8Array) => void): void {
  const { file } = openRegularFile(location.path);
  try {
    const buffer = new Uint8Array(PIECE);
    for (let position = 0; position < location.length;) {
      const wanted = Math.min(PIECE, location.length - position);
      const count = readPiece(file, buffer.subarray(0, wanted), location.offset + position);
      if (count === 0) {
        throw new LayerfsError(
          "size-mismatch",
          `Cannot read "${location.path}": it ends after ${position} bytes`,
        );
      }
      onPiece(buffer.subarray(0, count));
      position += count;
    }
  } catch (error) {
    throw storageError(error, `Cannot read "${location.path}"`);
  } finally {
    file.close();
  }
}
