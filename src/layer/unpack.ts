/**
 * One layer's way from its blob to the tree, in one pass: read, digest, decompress, diffID, entries.
 *
 * Nothing is claimed before everything is checked: the size first, and at the end of the same pass
 * that writes the digest of the blob and the diffID. Whoever calls works in a staging tree, which
 * he throws away on an error.
 *
 * @module
 */

import fs from "node:fs";
import {
  type Compression,
  createDecompressor,
  type Decompressor,
  detectCompression,
  MAGIC_BYTES,
} from "../blob/decompress.ts";
import type { BlobContent } from "../blob/content.ts";
import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import { TarScanner, type TarVisitor } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { EXPANSION_GRACE_BYTES, MAX_EXPANSION_RATIO } from "../limits.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";

/** Bytes read at once. Larger reads measured no faster. */
const READ_BYTES = 1024 * 1024;

/** What a layer's blob must be, wherever its bytes come from. */
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

/** A layer to be read from a file. It can be sent to a worker. */
export interface LayerBlob extends LayerDigests {
  readonly location: BlobLocation;
}

export interface UnpackOptions {
  readonly engine: DigestEngine;
  /** Called with the number of bytes read, after each piece. */
  readonly onBytes: (delta: number) => void;
  /** Asked between pieces; true ends the work with `interrupted`. */
  readonly isCancelled: () => boolean;
}

/** Who receives a layer. */
export interface LayerVisitor extends TarVisitor {
  /** Takes each piece of the stream, once its entries and contents have been shown. */
  fed?(window: Uint8Array): void;
  /** Frees what an error has left open. */
  close(): void;
}

/** Bytes that went through. */
export interface UnpackResult {
  readonly compressed: number;
  readonly uncompressed: number;
}

/**
 * Reads and verifies a layer, and shows its entries to the visitor that `visit` makes.
 *
 * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`, `image-invalid`, or what the visitor
 * throws. A damaged blob is reported by its digest, whatever else its damage has led to.
 */
export function unpackLayer(
  blob: LayerBlob,
  visit: (scanner: TarScanner) => LayerVisitor,
  options: UnpackOptions,
): UnpackResult {
  const { location, size } = blob;
  const { fd, size: fileSize } = openRegularFile(location.path);
  try {
    const available = Math.min(location.length, Math.max(fileSize - location.offset, 0));
    if (available < location.length || (size !== null && size !== location.length)) {
      throw new LayerfsError(
        "size-mismatch",
        `size is ${available}, the descriptor says ${size ?? location.length}`,
      );
    }
    return new Unpacker(fd, blob, options).run(visit);
  } finally {
    fs.closeSync(fd);
  }
}

class Unpacker {
  readonly #fd: number;
  readonly #blob: LayerBlob;
  readonly #options: UnpackOptions;
  readonly #input = new Uint8Array(READ_BYTES);
  /** Digest of the blob; null where it is not verified, or is that of the tar stream anyway. */
  #hasher: Hasher | null = null;
  #position = 0;
  /** Where reading for a second time ends, which is not told again. */
  #counted = 0;

  constructor(fd: number, blob: LayerBlob, options: UnpackOptions) {
    this.#fd = fd;
    this.#blob = blob;
    this.#options = options;
  }

  run(visit: (scanner: TarScanner) => LayerVisitor): UnpackResult {
    const { digest, diffId } = this.#blob;
    const { engine } = this.#options;
    const compression = detectCompression(this.#head());
    if (digest !== null && (compression !== "none" || digest !== diffId)) {
      this.#hasher = createHasher(digestAlgorithm(digest), engine);
    }
    const scanner = new TarScanner({
      algorithm: diffId === null ? null : digestAlgorithm(diffId),
      engine,
    });
    const visitor = visit(scanner);
    try {
      if (compression === "none") this.#copy(scanner, visitor);
      else this.#decompress(createDecompressor(compression), scanner, visitor);
      scanner.end(visitor);
    } catch (error) {
      if (isAboutContent(error)) this.#verifyDamaged(compression);
      throw error;
    } finally {
      visitor.close();
    }
    this.#verifyRest();
    if (diffId !== null) verify("diffID", scanner.digest(), diffId);
    return { compressed: this.#position, uncompressed: scanner.offset };
  }

  #head(): Uint8Array {
    const head = new Uint8Array(Math.min(MAGIC_BYTES, this.#blob.location.length));
    fs.readSync(this.#fd, head, 0, head.length, this.#blob.location.offset);
    return head;
  }

  /** The next piece of the blob, digested; empty at its end. Valid until the next call. */
  #read(): Uint8Array {
    if (this.#options.isCancelled()) {
      throw new LayerfsError("interrupted", "interrupted");
    }
    const { offset, length } = this.#blob.location;
    const wanted = Math.min(this.#input.length, length - this.#position);
    if (wanted === 0) return this.#input.subarray(0, 0);
    const count = fs.readSync(this.#fd, this.#input, 0, wanted, offset + this.#position);
    if (count === 0) {
      throw new LayerfsError("size-mismatch", `the file ends after ${this.#position} bytes`);
    }
    this.#position += count;
    const piece = this.#input.subarray(0, count);
    this.#hasher?.update(piece);
    if (this.#position > this.#counted) this.#options.onBytes(count);
    return piece;
  }

  #copy(scanner: TarScanner, visitor: LayerVisitor): void {
    for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
      for (let offset = 0; offset < piece.length;) {
        const window = scanner.window;
        const part = piece.subarray(offset, offset + window.length);
        window.set(part);
        feed(scanner, part.length, visitor);
        offset += part.length;
      }
    }
  }

  #decompress(decompressor: Decompressor, scanner: TarScanner, visitor: LayerVisitor): void {
    try {
      for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
        for (let offset = 0, full = false; offset < piece.length || full;) {
          const window = scanner.window;
          const { consumed, produced } = decompressor.write(piece, offset, window);
          offset += consumed;
          full = produced === window.length;
          feed(scanner, produced, visitor);
          this.#checkExpansion(scanner.offset);
        }
      }
      decompressor.end();
    } finally {
      decompressor.close();
    }
  }

  #checkExpansion(uncompressed: number): void {
    if (uncompressed < EXPANSION_GRACE_BYTES) return;
    if (uncompressed <= this.#position * MAX_EXPANSION_RATIO) return;
    throw new LayerfsError(
      "image-invalid",
      `${this.#position} bytes expand to more than ${uncompressed}, over ${MAX_EXPANSION_RATIO} times as much`,
    );
  }

  /**
   * Finds out whether the blob's digest is wrong, once its content has turned out to be. A plain tar
   * has no digest of its own beside the diffID: it is read once more.
   */
  #verifyDamaged(compression: Compression): void {
    const digest = this.#blob.digest ?? this.#blob.diffId;
    if (this.#hasher === null && compression === "none" && digest !== null) {
      this.#hasher = createHasher(digestAlgorithm(digest), this.#options.engine);
      this.#counted = this.#position;
      this.#position = 0;
    }
    this.#verifyRest();
  }

  /** Reads what is left of the blob, and compares its digest. */
  #verifyRest(): void {
    while (this.#read().length > 0);
    if (this.#hasher === null) return;
    const hasher = this.#hasher;
    this.#hasher = null;
    const digest = this.#blob.digest ?? this.#blob.diffId;
    verify("digest", formatDigest(hasher.algorithm, hasher.digest()), digest!);
  }
}

function feed(scanner: TarScanner, length: number, visitor: LayerVisitor): void {
  scanner.feed(length, visitor);
  visitor.fed?.(scanner.window.subarray(0, length));
}

/** Whether damage of the blob may have led to this error. */
function isAboutContent(error: unknown): boolean {
  return error instanceof LayerfsError && error.code === "image-invalid";
}

function verify(what: string, found: Digest, announced: Digest): void {
  if (found === announced) return;
  throw new LayerfsError("digest-mismatch", `${what} is ${found}, not ${announced}`, {
    found,
    announced,
  });
}
