/**
 * Writes a layer's skeleton while the layer is applied (see skeleton_format.ts).
 *
 * The contents of files are what the scanner shows of the stream and the applier writes to a file;
 * all else is literal, so that nothing has to be understood to give the stream back.
 *
 * @module
 */

import fs from "node:fs";
import zlib from "node:zlib";
import { WINDOW } from "../core/instance.ts";
import { decodeName } from "../core/raw_name.ts";
import type { TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { storageError } from "../system_error.ts";
import type { LayerApplier } from "./apply.ts";
import {
  CHUNK_BYTES,
  CHUNK_HEAD,
  MAGIC,
  MAX_NUMBER_BYTES,
  putNumber,
  RECORD,
} from "./skeleton_format.ts";
import { giveBuffer, takeBuffer } from "./spare_buffers.ts";
import { writeAll } from "./write_all.ts";
import { LayerScan, type LayerVisitor } from "./scan_layer.ts";

/** gzip at its level 1 takes as long and gives twice the bytes (measured). */
const COMPRESSION = {
  params: {
    [zlib.constants.ZSTD_c_compressionLevel]: 1,
    [zlib.constants.ZSTD_c_checksumFlag]: 1,
  },
};

/** The head of a record: its kind and two numbers. */
const MAX_HEAD = 1 + 2 * MAX_NUMBER_BYTES;

/**
 * A scan that writes the layer's skeleton to a new file at `path`.
 *
 * @param path absolute. Where the stream does not come to its end, nothing is there afterwards
 */
export function scanWithSkeleton(
  visit: (scanner: TarScanner) => LayerApplier,
  path: string,
): LayerScan {
  const file = new SkeletonFile(path);
  try {
    return new LayerScan((scanner) => new SkeletonWriter(visit(scanner), scanner, file));
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Stands between the scanner and the applier, and notes what goes where. */
class SkeletonWriter implements LayerVisitor {
  readonly #applier: LayerApplier;
  readonly #scanner: TarScanner;
  readonly #file: SkeletonFile;
  /** Bytes of the window whose record is written. */
  #done = 0;
  /** Resolved path of the file that the entry at hand fills; null where its content goes nowhere. */
  #path: string | null = null;
  #isNamed = false;
  #isComplete = false;
  #crc = 0;
  /** A range of the file whose record is still to be written: the next piece may continue it. */
  #offset = 0;
  #length = 0;

  constructor(applier: LayerApplier, scanner: TarScanner, file: SkeletonFile) {
    this.#applier = applier;
    this.#scanner = scanner;
    this.#file = file;
  }

  entry(entry: TarEntry): void {
    this.#applier.entry(entry);
    const { place, hasReplacedOwn } = this.#applier;
    if (hasReplacedOwn) {
      this.#file.giveUp(`the layer itself replaces what it has put at "${entry.path}" or below`);
    }
    this.#path = entry.type === "file" ? place : null;
    this.#isNamed = false;
    this.#crc = 0;
    if (place === null || place === entry.path) return;
    this.#file.record(RECORD.place, [entry.headerOffset], this.#bytesOf(place));
  }

  data(bytes: Uint8Array, fileOffset: number): void {
    if (this.#path !== null) this.#content(bytes, fileOffset);
    this.#applier.data(bytes, fileOffset);
  }

  end(): void {
    this.#flush();
    if (this.#isNamed) this.#file.checksum(this.#crc);
    this.#applier.end();
  }

  /** The window's bytes have all been shown. */
  fed(window: Uint8Array): void {
    this.#literal(window.subarray(this.#done));
    this.#done = 0;
  }

  finish(): void {
    this.#file.finish();
    this.#isComplete = true;
  }

  close(): void {
    this.#applier.close();
    if (!this.#isComplete) this.#file.discard();
  }

  #content(bytes: Uint8Array, fileOffset: number): void {
    const start = bytes.byteOffset - WINDOW;
    this.#literal(new Uint8Array(bytes.buffer, WINDOW + this.#done, start - this.#done));
    this.#done = start + bytes.length;
    this.#crc = zlib.crc32(bytes, this.#crc);
    if (!this.#isNamed) this.#file.record(RECORD.file, [], this.#bytesOf(this.#path!));
    this.#isNamed = true;
    if (fileOffset !== this.#offset + this.#length) this.#flush();
    if (this.#length === 0) this.#offset = fileOffset;
    this.#length += bytes.length;
  }

  #literal(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#flush();
    this.#file.literal(bytes);
  }

  #flush(): void {
    if (this.#length > 0) this.#file.record(RECORD.content, [this.#offset, this.#length], null);
    this.#length = 0;
  }

  #bytesOf(path: string): Uint8Array {
    const bytes = decodeName(path, this.#scanner.rawNames);
    if (bytes === undefined) throw new TypeError(`no name of ${path}`);
    return bytes;
  }
}

/** The file of a skeleton, and the chunk that is not full yet. */
class SkeletonFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #chunk = takeBuffer(CHUNK_BYTES);
  #fill = 0;
  #position = 0;
  #reason: string | null = null;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = fs.openSync(path, "wx", 0o600);
    } catch (error) {
      throw storageError(error, `Cannot make the skeleton "${path}"`);
    }
    try {
      this.#write(new TextEncoder().encode(MAGIC));
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** A record of numbers and, unless `bytes` is null, their length and they themselves. */
  record(kind: number, numbers: readonly number[], bytes: Uint8Array | null): void {
    if (this.#reason !== null) return;
    const length = bytes?.length ?? 0;
    if (this.#fill + MAX_HEAD + length > CHUNK_BYTES) this.#flush();
    let at = this.#fill;
    this.#chunk[at++] = kind;
    for (const number of numbers) at = putNumber(this.#chunk, at, number);
    if (bytes !== null) {
      at = putNumber(this.#chunk, at, length);
      this.#chunk.set(bytes, at);
    }
    this.#fill = at + length;
  }

  /** Bytes of any length, cut where a chunk is full. */
  literal(bytes: Uint8Array): void {
    if (this.#fill + MAX_HEAD + bytes.length <= CHUNK_BYTES) {
      return this.record(RECORD.literal, [], bytes);
    }
    for (let at = 0; at < bytes.length;) {
      if (CHUNK_BYTES - this.#fill <= MAX_HEAD) this.#flush();
      const part = bytes.subarray(at, at + CHUNK_BYTES - this.#fill - MAX_HEAD);
      this.record(RECORD.literal, [], part);
      at += part.length;
    }
  }

  checksum(crc: number): void {
    if (this.#reason !== null) return;
    if (this.#fill + MAX_HEAD > CHUNK_BYTES) this.#flush();
    this.#chunk[this.#fill] = RECORD.checksum;
    new DataView(this.#chunk.buffer).setUint32(this.#fill + 1, crc, true);
    this.#fill += 5;
  }

  /** There will be no skeleton, only the first reason why. */
  giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#fill = 0;
  }

  /** Completes and closes the file. */
  finish(): void {
    const reason = this.#reason;
    if (reason !== null) {
      this.#reason = null;
      this.#position = MAGIC.length;
      fs.ftruncateSync(this.#fd, this.#position);
      this.record(RECORD.unverifiable, [], new TextEncoder().encode(reason));
    }
    this.record(RECORD.end, [], null);
    this.#flush();
    this.#close();
  }

  /** Closes and removes the file. */
  discard(): void {
    this.#close();
    fs.unlinkSync(this.#path);
  }

  #close(): void {
    fs.closeSync(this.#fd);
    giveBuffer(this.#chunk);
  }

  #flush(): void {
    const content = this.#chunk.subarray(0, this.#fill);
    const frame = zlib.zstdCompressSync(content, COMPRESSION);
    const chunk = new Uint8Array(CHUNK_HEAD + frame.length);
    const view = new DataView(chunk.buffer);
    view.setUint32(0, frame.length, true);
    view.setUint32(4, content.length, true);
    chunk.set(frame, CHUNK_HEAD);
    this.#write(chunk);
    this.#fill = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      writeAll(this.#fd, bytes, this.#position);
    } catch (error) {
      throw storageError(error, `Cannot write the skeleton "${this.#path}"`);
    }
    this.#position += bytes.length;
  }
}
