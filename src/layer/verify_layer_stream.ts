/**
 * One layer's tar stream, rebuilt from its skeleton and the files of its tree.
 *
 * @module
 */

import zlib from "node:zlib";
import { formatDigest, type Hasher } from "../core/hasher.ts";
import { encodeName } from "../core/raw_name.ts";
import { TarScanner } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import type { Digest } from "../oci/digest.ts";
import { storageError } from "../system_error.ts";
import { SkeletonReader, type SkeletonRecord } from "./skeleton_reader.ts";
import { TreeFiles } from "./verify_layer_files.ts";
import { MetadataCheck } from "./verify_layer_metadata.ts";

/** Something in a layer's tree that is not as the layer has it. */
export interface Difference {
  /** Relative to the root, tokens for what is not UTF-8; null where no path can be told. */
  readonly path: string | null;
  /** What is wrong, to be read behind the path: `size is 3, not 4`. */
  readonly what: string;
}

/** What was found of a layer. `altered` has one difference at least. */
export type LayerVerdict =
  | { readonly status: "ok" }
  | { readonly status: "altered"; readonly differences: readonly Difference[] }
  | { readonly status: "unverifiable"; readonly reason: string };

/** A layer whose contents are to be verified. */
export interface LayerToVerify {
  readonly diffId: Digest;
  /** The file that was written when the layer was applied. Absolute. */
  readonly skeletonPath: string;
  /** The directory with the layer's files, those of layers below or not. Absolute. */
  readonly root: string;
}

/** Differences that are kept of a layer. */
const MAX_DIFFERENCES = 100;

const EMPTY = new Uint8Array(0);
const CONTENT_DIFFERS = "content differs";

/** The file that content is read from. */
interface Source {
  readonly path: string;
  /** null where it cannot be read. */
  readonly file: Deno.FsFile | null;
}

/** A layer at work. Close it. */
export class LayerStream {
  readonly #layer: LayerToVerify;
  readonly #hasher: Hasher;
  readonly #reader: SkeletonReader;
  readonly #scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  readonly #files: TreeFiles;
  readonly #metadata: MetadataCheck;
  readonly #wrong = new Map<string, string>();
  #literal: Uint8Array = EMPTY;
  #source: Source | null = null;
  /** The range of the file that comes next. */
  #offset = 0;
  #left = 0;
  #crc = 0;
  #isScanned = true;
  #reason: string | null = null;
  #ended = false;

  /**
   * @param scratch as for {@linkcode TreeFiles}
   * @throws {LayerfsError} `not-found` or `image-invalid`, of the skeleton
   */
  constructor(layer: LayerToVerify, hasher: Hasher, scratch: string, asRoot: boolean) {
    this.#layer = layer;
    this.#hasher = hasher;
    this.#reader = new SkeletonReader(layer.skeletonPath);
    this.#files = new TreeFiles(layer.root, scratch, this.#scanner.rawNames);
    this.#metadata = new MetadataCheck(this.#files, this.#scanner, asRoot);
  }

  /**
   * Rebuilds up to 1 MiB.
   *
   * @returns how many bytes; 0 at the end
   * @throws {LayerfsError} `image-invalid` for a damaged skeleton, `privilege-missing`
   */
  step(): number {
    const window = this.#scanner.window;
    const length = this.#fill(window);
    this.#hasher.update(window.subarray(0, length));
    this.#scan(() => this.#scanner.feed(length, this.#metadata));
    return length;
  }

  /** What was found, after the end. */
  verdict(): LayerVerdict {
    if (this.#reason !== null) return { status: "unverifiable", reason: this.#reason };
    const { diffId } = this.#layer;
    const found = formatDigest(this.#hasher.algorithm, this.#hasher.digest());
    const isSame = found === diffId;
    this.#scan(() => this.#scanner.end(this.#metadata));
    const differences: Difference[] = [];
    for (const [path, what] of this.#wrong) {
      if (!isSame || what !== CONTENT_DIFFERS) differences.push({ path, what });
    }
    if (!isSame && differences.length === 0) {
      const what = `the stream has the digest ${found}, not ${diffId}, and every file the ` +
        "checksum on record: files were changed together with the record, or that is damaged";
      differences.push({ path: null, what });
    }
    for (const [path, what] of this.#isScanned ? this.#metadata.differences() : []) {
      if (!this.#wrong.has(path)) differences.push({ path, what });
    }
    if (differences.length === 0) return { status: "ok" };
    return { status: "altered", differences: differences.slice(0, MAX_DIFFERENCES) };
  }

  close(): void {
    this.#closeSource();
    this.#reader.close();
  }

  /** Headers that were changed may be none any more: the digest tells, and is computed to the end. */
  #scan(action: () => void): void {
    if (!this.#isScanned) return;
    try {
      action();
    } catch (error) {
      if (!(error instanceof LayerfsError) || error.code !== "image-invalid") throw error;
      this.#isScanned = false;
    }
  }

  #fill(window: Uint8Array): number {
    let at = 0;
    while (at < window.length && !this.#ended) {
      if (this.#literal.length > 0) {
        const part = this.#literal.subarray(0, window.length - at);
        window.set(part, at);
        this.#literal = this.#literal.subarray(part.length);
        at += part.length;
      } else if (this.#left > 0) {
        const part = window.subarray(at, at + Math.min(this.#left, window.length - at));
        this.#read(part);
        at += part.length;
      } else this.#take(this.#reader.next());
    }
    return at;
  }

  #take(record: SkeletonRecord): void {
    if (record.kind === "literal") this.#literal = record.bytes;
    else if (record.kind === "file") this.#open(record.bytes);
    else if (record.kind === "content") {
      this.#offset = record.offset;
      this.#left = record.length;
    } else if (record.kind === "checksum") this.#compareChecksum(record.crc);
    else if (record.kind === "place") {
      const path = encodeName(record.bytes, this.#scanner.rawNames);
      this.#metadata.places.set(record.headerOffset, path);
    } else {
      if (record.kind === "unverifiable") this.#reason = record.reason;
      this.#ended = true;
    }
  }

  #open(bytes: Uint8Array): void {
    this.#closeSource();
    this.#crc = 0;
    const path = encodeName(bytes, this.#scanner.rawNames);
    if (path.split("/").some((name) => name === "" || name === "." || name === "..")) {
      throw new LayerfsError("image-invalid", `its skeleton is damaged: it has the path "${path}"`);
    }
    this.#source = { path, file: this.#openFile(path) };
  }

  /** null where there is no such file, which is noted. */
  #openFile(path: string): Deno.FsFile | null {
    try {
      return this.#files.open(path);
    } catch (error) {
      const code = error instanceof LayerfsError ? error.code : null;
      if (code === "not-found") this.#wrong.set(path, "is missing");
      else if (code === "image-invalid") this.#wrong.set(path, "is not a file any more");
      else throw error;
      return null;
    }
  }

  /** Reads the next bytes of the file. What cannot be read is zeros, so that the rest stays in step. */
  #read(part: Uint8Array): void {
    const { path, file } = this.#source ?? { path: "", file: null };
    let done = 0;
    try {
      if (file !== null) {
        done = readAt(file, part, this.#offset);
        if (done < part.length) this.#wrong.set(path, "is shorter than it was");
      }
    } catch (error) {
      this.#wrong.set(path, storageError(error, "cannot be read").message);
    }
    part.fill(0, done);
    this.#offset += part.length;
    this.#left -= part.length;
    this.#crc = zlib.crc32(part, this.#crc);
  }

  #compareChecksum(crc: number): void {
    const path = this.#source?.path;
    if (path === undefined || crc === this.#crc || this.#wrong.has(path)) return;
    this.#wrong.set(path, CONTENT_DIFFERS);
  }

  #closeSource(): void {
    this.#source?.file?.close();
    this.#source = null;
  }
}
