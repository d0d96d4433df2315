/**
 * The first part of a layer's way: its blob is read, verified and decompressed.
 *
 * It is done in steps, so that one thread can read several layers at a time.
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
import { type LayerBytes, type LayerDigests, mismatch } from "./layer_source.ts";

/** Bytes of the tar stream that are made in a step, at most. */
const STEP_BYTES = 512 * 1024;

/** Who takes the tar stream. */
export interface TarSink {
  /** Whether it wants no more. */
  readonly isUnwanted: boolean;
  /** Memory for bytes to be put in; empty while there is none. */
  room(): Uint8Array;
  /** Takes the first `length` bytes of it. */
  commit(length: number): void;
}

/** What became of a layer's blob. */
export interface ReadResult extends LayerBytes {
  readonly compression: Compression;
  /** Whether the digest of the blob itself is verified, here or by whoever else digests it. */
  readonly verified: boolean;
}

/** What a step did: whether it came on, or had to wait for room. */
export type Step = "done" | "blocked";

/** The steps of reading a layer; what it returns is null where the sink wants no more. */
export type Reading = Generator<Step, ReadResult | null, void>;

/**
 * Reads a layer to its end. What the content turns out to be is the sink's affair: whatever that
 * does, the blob is read to its end, and verified where it is digested here, unless the sink wants
 * no more.
 *
 * @param engine what digests the blob; null where that is done elsewhere
 * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`, or `image-invalid` where the blob cannot
 * be decompressed; what `input` throws
 */
export function readLayer(
  input: BlobInput,
  layer: LayerDigests,
  sink: TarSink,
  engine: DigestEngine | null,
): Reading {
  const { size } = layer;
  if (input.length < input.announced || (size !== null && size !== input.announced)) {
    throw new LayerfsError(
      "size-mismatch",
      `size is ${input.length}, the descriptor says ${size ?? input.announced}`,
    );
  }
  return new LayerReader(input, layer, sink, engine).run();
}

class LayerReader {
  readonly #input: BlobInput;
  readonly #digest: Digest | null;
  readonly #sink: TarSink;
  readonly #compression: Compression;
  /** Whether the blob needs a digest of its own, and is not the tar stream, which has one anyway. */
  readonly #isVerified: boolean;
  /** Of the blob; null where it is not digested here. */
  readonly #hasher: Hasher | null;
  #compressed = 0;
  #uncompressed = 0;

  constructor(
    input: BlobInput,
    { digest, diffId }: LayerDigests,
    sink: TarSink,
    engine: DigestEngine | null,
  ) {
    this.#input = input;
    this.#digest = digest;
    this.#sink = sink;
    this.#compression = detectCompression(input.peek(MAGIC_BYTES));
    this.#isVerified = digest !== null && (this.#compression !== "none" || digest !== diffId);
    const isHashed = this.#isVerified && digest !== null && engine !== null;
    this.#hasher = isHashed ? createHasher(digestAlgorithm(digest), engine) : null;
  }

  *run(): Reading {
    let isWanted: boolean;
    try {
      isWanted = this.#compression === "none"
        ? yield* this.#copy()
        : yield* this.#decompress(createDecompressor(this.#compression));
    } catch (error) {
      // A damaged blob is reported by its digest, whatever else its damage has led to.
      const isDamage = error instanceof LayerfsError && error.code === "image-invalid";
      if (isDamage) this.#verify();
      throw error;
    }
    if (!isWanted) return null;
    this.#verify();
    return {
      compressed: this.#compressed,
      uncompressed: this.#uncompressed,
      compression: this.#compression,
      verified: this.#isVerified,
    };
  }

  /** The next piece of the blob, digested; empty at its end. Valid until the next call. */
  #read(): Uint8Array {
    const piece = this.#input.read();
    this.#compressed += piece.length;
    this.#hasher?.update(piece);
    return piece;
  }

  /** Room for bytes; null where the sink wants no more. */
  *#room(): Generator<Step, Uint8Array | null, void> {
    for (;;) {
      if (this.#sink.isUnwanted) return null;
      const room = this.#sink.room();
      if (room.length > 0) return room.subarray(0, STEP_BYTES);
      yield "blocked";
    }
  }

  /** @returns false where the sink wants no more */
  *#copy(): Generator<Step, boolean, void> {
    for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
      for (let offset = 0; offset < piece.length;) {
        const room = yield* this.#room();
        if (room === null) return false;
        const part = piece.subarray(offset, offset + room.length);
        room.set(part);
        this.#commit(part.length);
        offset += part.length;
        yield "done";
      }
    }
    return true;
  }

  /** @returns false where the sink wants no more */
  *#decompress(decompressor: Decompressor): Generator<Step, boolean, void> {
    try {
      for (let piece = this.#read(); piece.length > 0; piece = this.#read()) {
        for (let offset = 0, full = false; offset < piece.length || full;) {
          const room = yield* this.#room();
          if (room === null) return false;
          const { consumed, produced } = decompressor.write(piece, offset, room);
          offset += consumed;
          full = produced === room.length;
          this.#commit(produced);
          this.#checkExpansion();
          yield "done";
        }
      }
      decompressor.end();
      return true;
    } finally {
      decompressor.close();
    }
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
