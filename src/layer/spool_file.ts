/**
 * A tar archive in the making, in a file: entries are collected in memory and written in large pieces.
 *
 * @module
 */

import fs from "node:fs";
import { encodeHeader, endOfArchive, putHeader, type TarHeader } from "../tar/header.ts";
import { BLOCK_SIZE, paddedSize } from "../tar/ustar_block.ts";
import { giveBuffer, takeBuffer } from "./spare_buffers.ts";
import { writeAll } from "./write_all.ts";

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/** Takes a piece of a file's content at an offset of the file. */
export type ContentWriter = (bytes: Uint8Array, fileOffset: number) => void;

/** An archive that is complete. */
export interface FinishedSpool {
  readonly path: string;
  /** Whether an entry of it has extended attributes. */
  readonly hasXattrs: boolean;
}

/** One archive after another. */
export class SpoolFile {
  readonly #newPath: () => string;
  readonly #bufferBytes: number;
  #spare: Uint8Array<ArrayBuffer> | null = null;
  #fill = 0;
  #file: { readonly path: string; readonly fd: number } | null = null;
  /** Bytes of the file. */
  #position = 0;
  #hasXattrs = false;

  /**
   * @param newPath where the next archive goes: absolute, nothing there
   * @param bufferBytes written at once
   */
  constructor(newPath: () => string, bufferBytes: number) {
    this.#newPath = newPath;
    this.#bufferBytes = bufferBytes;
  }

  /** Bytes of the archive so far. */
  get size(): number {
    return this.#position + this.#fill;
  }

  /** Adds an entry; if it has content, {@linkcode addContent} must follow. */
  addHeader(header: TarHeader): void {
    if (header.xattrs) this.#hasXattrs = true;
    this.#makeRoom(BLOCK_SIZE);
    if (putHeader(this.#buffer.subarray(this.#fill, this.#fill + BLOCK_SIZE), header)) {
      this.#fill += BLOCK_SIZE;
      return;
    }
    const bytes = encodeHeader(header);
    this.#makeRoom(bytes.length);
    if (bytes.length > this.#bufferBytes) return this.#write(bytes);
    this.#buffer.set(bytes, this.#fill);
    this.#fill += bytes.length;
  }

  /** Makes room for content of `size` bytes. What is not written of it is zero. */
  addContent(size: number): ContentWriter {
    const padded = paddedSize(size);
    if (padded > this.#bufferBytes) return this.#reserve(padded);
    this.#makeRoom(padded);
    const start = this.#fill;
    this.#fill += padded;
    this.#buffer.fill(0, start, this.#fill);
    return (bytes, fileOffset) => this.#buffer.set(bytes, start + fileOffset);
  }

  /** Ends the archive. @returns null where nothing was added */
  finish(): FinishedSpool | null {
    if (this.size === 0) return null;
    this.#drain();
    this.#write(endOfArchive());
    const { path } = this.#open();
    const hasXattrs = this.#hasXattrs;
    this.close();
    return { path, hasXattrs };
  }

  /** Drops what was added since the last archive was finished. */
  close(): void {
    if (this.#file !== null) fs.closeSync(this.#file.fd);
    if (this.#spare !== null) giveBuffer(this.#spare);
    this.#spare = null;
    this.#file = null;
    this.#fill = 0;
    this.#position = 0;
    this.#hasXattrs = false;
  }

  get #buffer(): Uint8Array<ArrayBuffer> {
    return this.#spare ??= takeBuffer(this.#bufferBytes);
  }

  #makeRoom(bytes: number): void {
    if (this.#fill + bytes > this.#bufferBytes) this.#drain();
  }

  /** Room for large content behind what was added. */
  #reserve(length: number): ContentWriter {
    this.#drain();
    const { fd } = this.#open();
    const start = this.#position;
    this.#position += length;
    fs.ftruncateSync(fd, this.#position);
    return (bytes, fileOffset) => writeAll(fd, bytes, start + fileOffset);
  }

  #drain(): void {
    if (this.#fill > 0) this.#write(this.#buffer.subarray(0, this.#fill));
    this.#fill = 0;
  }

  #write(bytes: Uint8Array): void {
    writeAll(this.#open().fd, bytes, this.#position);
    this.#position += bytes.length;
  }

  #open(): { readonly path: string; readonly fd: number } {
    if (this.#file === null) {
      const path = this.#newPath();
      const fd = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      this.#file = { path, fd };
    }
    return this.#file;
  }
}
