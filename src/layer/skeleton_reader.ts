/**
 * Reads the records of a skeleton (see skeleton_format.ts), a chunk at a time.
 *
 * @module
 */

import zlib from "node:zlib";
import { openRegularFile } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import { CHUNK_BYTES, CHUNK_HEAD, MAGIC, RECORD } from "./skeleton_format.ts";

/** A record. Its bytes are valid until the next one is read. */
export type SkeletonRecord =
  | { readonly kind: "literal" | "file"; readonly bytes: Uint8Array }
  | { readonly kind: "content"; readonly offset: number; readonly length: number }
  | { readonly kind: "checksum"; readonly crc: number }
  | { readonly kind: "place"; readonly headerOffset: number; readonly bytes: Uint8Array }
  | { readonly kind: "unverifiable"; readonly reason: string }
  | { readonly kind: "end" };

/** Bytes that a frame of random content needs beyond that (ZSTD_compressBound, and a checksum). */
const FRAME_OVERHEAD = 8192;

const EMPTY = new Uint8Array(0);

/** A skeleton that is being read. Close it. */
export class SkeletonReader {
  readonly #file: Deno.FsFile;
  #position: number;
  #chunk: Uint8Array = EMPTY;
  #at = 0;

  /** @throws {LayerfsError} `not-found`, or `image-invalid` where this is no skeleton */
  constructor(path: string) {
    this.#file = openRegularFile(path).file;
    const magic = new Uint8Array(MAGIC.length);
    const count = readAt(this.#file, magic, 0);
    if (count !== magic.length || new TextDecoder().decode(magic) !== MAGIC) {
      this.#file.close();
      throw damaged("it does not begin as one of this version");
    }
    this.#position = count;
  }

  /** @throws {LayerfsError} `image-invalid` where the skeleton is damaged */
  next(): SkeletonRecord {
    if (this.#at === this.#chunk.length) this.#readChunk();
    const kind = this.#byte();
    switch (kind) {
      case RECORD.end:
        return { kind: "end" };
      case RECORD.literal:
        return { kind: "literal", bytes: this.#bytes() };
      case RECORD.file:
        return { kind: "file", bytes: this.#bytes() };
      case RECORD.content:
        return { kind: "content", offset: this.#number(), length: this.#number() };
      case RECORD.checksum:
        return { kind: "checksum", crc: this.#crc() };
      case RECORD.place:
        return { kind: "place", headerOffset: this.#number(), bytes: this.#bytes() };
      case RECORD.unverifiable:
        return { kind: "unverifiable", reason: new TextDecoder().decode(this.#bytes()) };
      default:
        throw damaged(`it has a record of the unknown kind ${kind}`);
    }
  }

  close(): void {
    this.#file.close();
  }

  #readChunk(): void {
    const head = new DataView(this.#read(CHUNK_HEAD).buffer);
    const size = head.getUint32(4, true);
    const length = head.getUint32(0, true);
    if (size > CHUNK_BYTES || size === 0 || length > CHUNK_BYTES + FRAME_OVERHEAD) {
      throw damaged(`it has a chunk of ${length} bytes for ${size}`);
    }
    const frame = this.#read(length);
    try {
      this.#chunk = zlib.zstdDecompressSync(frame, { maxOutputLength: size });
    } catch (error) {
      throw damaged(error instanceof Error ? error.message : String(error));
    }
    // A frame that is cut short is no error to node:zlib.
    if (this.#chunk.length !== size) throw damaged("a chunk is cut short");
    this.#at = 0;
  }

  #read(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (readAt(this.#file, bytes, this.#position) < length) throw damaged("it is cut short");
    this.#position += length;
    return bytes;
  }

  #byte(): number {
    const byte = this.#chunk[this.#at++];
    if (byte === undefined) throw damaged("a record is cut short");
    return byte;
  }

  #number(): number {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw damaged("it has a number beyond 2^53");
      if (byte < 0x80) return value;
    }
  }

  #bytes(): Uint8Array {
    const end = this.#number() + this.#at;
    if (end > this.#chunk.length) throw damaged("a record is cut short");
    const bytes = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  #crc(): number {
    let crc = 0;
    for (let shift = 0; shift < 32; shift += 8) crc |= this.#byte() << shift;
    return crc >>> 0;
  }
}

/** The error of a skeleton that is not as it was written. */
function damaged(state: string): LayerfsError {
  return new LayerfsError("image-invalid", `its skeleton is damaged: ${state}`);
}
