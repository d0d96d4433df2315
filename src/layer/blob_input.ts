/**
 * The bytes of a blob, as the thread that decompresses them reads them: from a file, or from a ring
 * into which another thread puts them.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import { readPiece } from "../files.ts";
import { storageError } from "../system_error.ts";
import { RingReader, type SharedRing } from "./ring.ts";

/** Bytes read at once. Larger reads measured no faster. */
const READ_BYTES = 1024 * 1024;

/** A blob being read. Dispose of it. */
export interface BlobInput extends Disposable {
  /** Bytes that the blob is said to have. */
  readonly announced: number;
  /** Bytes that there are, as far as can be told before they are read. */
  readonly length: number;
  /** The first bytes, up to `count`, which {@linkcode read} gives again. To be called first. */
  peek(count: number): Uint8Array;
  /** The next piece; empty at the end. Valid until the next call. */
  read(): Uint8Array;
}

/** Asked between pieces: throws where the work is to end. */
export type CancelCheck = () => void;

/**
 * A blob in a file.
 *
 * @throws {LayerfsError} as `openRegularFile`; `size-mismatch` where the file ends early
 */
export class FileInput implements BlobInput {
  readonly announced: number;
  readonly length: number;
  readonly #file: Deno.FsFile;
  readonly #path: string;
  readonly #offset: number;
  readonly #checkCancel: CancelCheck;
  readonly #onBytes: (delta: number) => void;
  /** For who brings no memory; null as long as nobody has read so. */
  #buffer: Uint8Array | null = null;
  #position = 0;

  /** @param onBytes called with the number of bytes of each piece */
  constructor(
    { path, offset, length }: BlobLocation,
    checkCancel: CancelCheck,
    onBytes: (delta: number) => void,
  ) {
    const { file, size } = openRegularFile(path);
    this.#file = file;
    this.#path = path;
    this.#offset = offset;
    this.announced = length;
    this.length = Math.min(length, Math.max(size - offset, 0));
    this.#checkCancel = checkCancel;
    this.#onBytes = onBytes;
  }

  peek(count: number): Uint8Array {
    const head = new Uint8Array(Math.min(count, this.announced));
    this.#readAt(head, 0);
    return head;
  }

  /** @param into memory for the piece, which is as long as that at most */
  read(into: Uint8Array = this.#buffer ??= new Uint8Array(READ_BYTES)): Uint8Array {
    this.#checkCancel();
    const wanted = Math.min(into.length, this.announced - this.#position);
    if (wanted === 0) return into.subarray(0, 0);
    const count = this.#readAt(into.subarray(0, wanted), this.#position);
    if (count === 0) {
      throw new LayerfsError("size-mismatch", `the file ends after ${this.#position} bytes`);
    }
    this.#position += count;
    this.#onBytes(count);
    return into.subarray(0, count);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #readAt(into: Uint8Array, position: number): number {
    try {
      return readPiece(this.#file, into, this.#offset + position);
    } catch (error) {
      throw storageError(error, `Cannot read "${this.#path}"`);
    }
  }
}

/** Thrown where the thread that fills the ring has failed: it says itself why. */
export class InputFailed extends Error {}

/** A blob that comes through a ring. Who puts it there sees to its size. */
export class RingInput implements BlobInput {
  readonly announced: number;
  readonly length: number;
  readonly #reader: RingReader;
  readonly #onBytes: (delta: number) => void;
  #held = 0;

  constructor(ring: SharedRing, length: number, onBytes: (delta: number) => void) {
    this.announced = length;
    this.length = length;
    this.#reader = new RingReader(ring, 0);
    this.#onBytes = onBytes;
  }

  /** Waits for the stream to begin. */
  peek(count: number): Uint8Array {
    this.#reader.waitForStream();
    return this.#reader.next(count).slice();
  }

  read(): Uint8Array {
    if (this.#held > 0) this.#reader.take(this.#held);
    const piece = this.#reader.next(READ_BYTES);
    this.#held = piece.length;
    if (piece.length > 0) this.#onBytes(piece.length);
    else if (this.#reader.outcome !== "ended") throw new InputFailed();
    return piece;
  }

  [Symbol.dispose](): void {
    this.#reader.finish();
  }
}
