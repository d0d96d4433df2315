/**
 * The first part of a layer's way: its blob is read, verified and decompressed.
 *
 * The end of the tar stream is told only after the blob's size and digest are found to be right.
 *
 * @module
 */

import {
  type Compression,
  createDecompressor,
  type Decompressor,
  detectCompression,
  MAGIC_BYTES,
} from "../blob/decompress.ts";
import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { EXPANSION_GRACE_BYTES, MAX_EXPANSION_RATIO } from "../limits.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import type { BlobInput } from "./blob_input.ts";
import type { LayerBytes, LayerDigests } from "./layer_source.ts";

/** Who takes the tar stream. */
export interface TarSink {
  /** Memory for bytes to be put in, at least one; null where no more of them are wanted. */
  reserve(): Uint8Array | null;
  /** Takes the first `length` bytes of it. */
  commit(length: number): void;
}

/** What became of a layer's blob. */
export interface ReadResult extends LayerBytes {
  readonly compression: Compression;
  /** Whether the digest of the blob itself was verified. */
  readonly verified: boolean;
}

/** Thrown within: the sink wants no more. */
class Unwanted extends Error {}

/**
 * Reads a layer to its end. What the content turns out to be is the sink's affair: whatever that
 * does, the blob is read and verified to its end, unless it wants no more.
 *
 * @returns null where the sink wants no more
 * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`, or `image-invalid` where the blob has
 * the right digest and cannot be decompressed; what `input` throws
 */
export function readLayer(
  input: BlobInput,
  layer: LayerDigests,
  sink: TarSink,
  engine: DigestEngine,
): ReadResult | null {
  const { size } = layer;
  if (input.length < input.announced || (size !== null && size !== input.announced)) {
    throw new LayerfsError(
      "size-mismatch",
      `size is ${input.length}, the descriptor says ${size ?? input.announced}`,
    );
  }
  try {
    return new LayerReader(input, layer, sink, engine).run();
  } catch (error) {
    if (error instanceof Unwanted) return null;
    throw error;
  }
}

class LayerReader {
  readonly #input: BlobInput;
  readonly #digest: Digest | null;
  readonly #sink: TarSink;
  readonly #compression: Compression;
  /** Of the blob; null where it is not verified, or is that of the tar stream anyway. */
  readonly #hasher: Hasher | null;
  #compressed = 0;
  #uncompressed = 0;

  constructor(input: BlobInput, layer: LayerDigests, sink: TarSink, engine: DigestEngine) {
    const { digest, diffId } = layer;
    this.#input = input;
    this.#digest = digest;
    this.#sink = sink;
    this.#compression = detectCompression(input.peek(MAGIC_BYTES));
    const isHashed = digest !== null && (this.#compression !== "none" || digest !== diffId);
    this.#hasher = isHashed ? createHasher(digestAlgorithm(digest), engine) : null;
  }

  run(): ReadResult {
    try {
      if (this.#compression === "none") this.#copy();
      else this.#decompress(createDecompressor(this.#compression));
    } catch (error) {
      // A damaged blob is reported by its digest, whatever else its damage has led to.
      const isDamage = error instanceof LayerfsError && error.code === "image-invalid";
      if (isDamage) this.#verify();
      throw error;
    }
    this.#verify();
    return {
      compressed: this.#compressed,
      uncompressed: this.#uncompressed,
      compression: this.#compression,
      verified: this.#hasher !== null,
    };
  }

  /** The next piece of the blob, digested; empty at its end. Valid until the next call. */
  #read(): Uint8Array {
    const piece = this.#input.read();
    this.#compressed += piece.length;
    this.#hasher?.update(piece);
    return piece;
  }

  #copy(): void {
    for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
      for (let offset = 0; offset < piece.length;) {
        const room = this.#room();
        const part = piece.subarray(offset, offset + room.length);
        room.set(part);
        this.#commit(part.length);
        offset += part.length;
      }
    }
  }

  #decompress(decompressor: Decompressor): void {
    try {
      for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
        for (let offset = 0, full = false; offset < piece.length || full;) {
          const room = this.#room();
          const { consumed, produced } = decompressor.write(piece, offset, room);
          offset += consumed;
          full = produced === room.length;
          this.#commit(produced);
          this.#checkExpansion();
        }
      }
      decompressor.end();
    } finally {
      decompressor.close();
    }
  }

  #room(): Uint8Array {
    const room = this.#sink.reserve();
    if (room === null) throw new Unwanted();
    return room;
  }

  #commit(length: number): void {
    this.#uncompressed += length;
    this.#sink.commit(length);
  }

  #checkExpansion(): void {
    if (this.#uncompressed < EXPANSION_GRACE_BYTES) return;
    if (this.#uncompressed <= this.#compressed * MAX_EXPANSION_RATIO) return;
    throw new LayerfsError(
      "image-invalid",
      `${this.#compressed} bytes expand to more than ${this.#uncompressed}, over ` +
        `${MAX_EXPANSION_RATIO} times as much`,
    );
  }

  /** Reads what is left of the blob, and compares its digest. */
  #verify(): void {
    while (this.#read().length > 0);
    if (this.#hasher === null) return;
    const found = formatDigest(this.#hasher.algorithm, this.#hasher.digest());
    if (found !== this.#digest) throw mismatch("digest", found, this.#digest!);
  }
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
