/**
 * A file that gzip writes, and whose digest is known when it is written.
 *
 * @module
 */

import { once } from "node:events";
import fs from "node:fs";
import zlib from "node:zlib";
import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { storageError } from "../system_error.ts";
import { writeAll } from "./write_all.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/**
 * Bytes that gzip gets and hands out at once. What it makes of the same bytes depends on how they
 * are cut, which in a pipe is chance (measured, Deno 2.9.6), so they are cut anew.
 */
const BLOCK_BYTES = 1024 * 1024;

/** Where a gzip header says which system wrote it (RFC 1952, OS), and the value for "unknown". */
const OS_OFFSET = 9;
const UNKNOWN_OS = 255;

/** How the file is written. */
export interface PackedFileOptions {
  readonly algorithm: DigestAlgorithm;
  readonly engine: DigestEngine;
  /** 1 to 9 for gzip; 0 for none. */
  readonly level: number;
}

/** A file in the making. {@linkcode finish} or {@linkcode discard} ends it. */
export class PackedFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #hasher: Hasher;
  readonly #gzip: zlib.Gzip | null;
  #open = true;
  #size = 0;
  #block = new Uint8Array(BLOCK_BYTES);
  /** Bytes in the block. */
  #filled = 0;
  /** Ends when gzip has taken the block before; never rejects. */
  #taken: Promise<void> = Promise.resolve();
  /** What went wrong between two calls: gzip hands out its output when it likes. */
  #failure: unknown = null;

  private constructor(path: string, fd: number, options: PackedFileOptions) {
    this.#path = path;
    this.#fd = fd;
    this.#hasher = createHasher(options.algorithm, options.engine);
    const { level } = options;
    this.#gzip = level === 0 ? null : zlib.createGzip({ level, chunkSize: BLOCK_BYTES });
    this.#gzip?.on("data", (bytes: Uint8Array) => this.#takeCompressed(bytes));
    this.#gzip?.on("error", (error: unknown) => this.#failure ??= error);
  }

  /** Begins the file `path`, which must not exist; mode 0600. */
  static create(path: string, options: PackedFileOptions): PackedFile {
    try {
      const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      return new PackedFile(path, fd, options);
    } catch (error) {
      throw storageError(error, `Cannot make "${path}"`);
    }
  }

  /** Adds bytes, and waits where gzip is behind. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#gzip === null) return this.#append(bytes);
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BLOCK_BYTES) await this.#compress(this.#gzip);
    }
  }

  /** Ends the file. It is not synced. */
  async finish(): Promise<{ digest: Digest; size: number }> {
    if (this.#gzip !== null) {
      await this.#compress(this.#gzip);
      const ended = once(this.#gzip, "end");
      this.#gzip.end();
      await ended;
    }
    if (this.#failure !== null) throw this.#failure;
    this.#close();
    return {
      digest: formatDigest(this.#hasher.algorithm, this.#hasher.digest()),
      size: this.#size,
    };
  }

  /** Gives the block to gzip, which compresses it while the next one is filled. */
  async #compress(gzip: zlib.Gzip): Promise<void> {
    await this.#taken;
    if (this.#failure !== null) throw this.#failure;
    const full = !gzip.write(this.#block.subarray(0, this.#filled));
    if (full) {
      this.#taken = once(gzip, "drain").then(() => {}, (error) => {
        this.#failure ??= error;
      });
    }
    this.#block = new Uint8Array(BLOCK_BYTES);
    this.#filled = 0;
  }

  /** Drops the file. */
  discard(): void {
    this.#failure ??= new Error("the file is dropped");
    this.#gzip?.destroy();
    this.#close();
    fs.rmSync(this.#path, { force: true });
  }

  #takeCompressed(bytes: Uint8Array): void {
    if (this.#failure !== null) return;
    try {
      const header = this.#size === 0 && bytes.length > OS_OFFSET;
      // zlib names the system that it was built for, and the digest would differ by that.
      this.#append(header ? bytes.with(OS_OFFSET, UNKNOWN_OS) : bytes);
    } catch (error) {
      this.#failure = error;
    }
  }

  #append(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    writeAll(this.#fd, bytes, this.#size);
    this.#size += bytes.length;
  }

  #close(): void {
    if (this.#open) fs.closeSync(this.#fd);
    this.#open = false;
  }
}
