/**
 * Reads a tar stream: the layer's digest and its entries, in one pass over a window of WebAssembly
 * memory. File contents are never copied.
 *
 * @example
 * ```ts
 * import { TarScanner } from "./tar_scanner.ts";
 *
 * const scanner = new TarScanner({ algorithm: "sha256", engine: "wasm" });
 * const visitor = { entry: (e: { path: string }) => e.path, data: () => {}, end: () => {} };
 * scanner.window.set(new Uint8Array(1024)); // an archive without entries
 * scanner.feed(1024, visitor);
 * scanner.end(visitor);
 * scanner.digest(); // "sha256:5f70bf18…"
 * ```
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { LayerfsError } from "../errors.ts";
import { MAX_PATH_BYTES, MAX_PAX_BYTES } from "../limits.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { type DigestEngine, formatDigest } from "./hasher.ts";
import {
  EVENTS,
  type Exports,
  giveInstance,
  HASH_DIGEST,
  HOST_PATH,
  takeInstance,
  WINDOW,
  WINDOW_SIZE,
} from "./instance.ts";
import { decodeName, encodeName, type RawNames } from "./raw_name.ts";
import { decodeEntry, entryNode, type MemoryViews, type TarEntry } from "./tar_entry.ts";
import { scanError } from "./tar_errors.ts";

export type { TarEntry, TarEntryType, TarTime, Whiteout } from "./tar_entry.ts";

/** Who receives the entries: `entry`, `data` any number of times, `end`, for every entry. */
export interface TarVisitor {
  entry(entry: TarEntry): void;
  /**
   * Contents that belong at `fileOffset`; what no call covers (up to `entry.size`) is a hole.
   *
   * @param bytes a view of linear memory: valid until the call returns or adds a path to the set
   */
  data(bytes: Uint8Array, fileOffset: number): void;
  end(): void;
}

/** How to hash while scanning; `algorithm` null hashes nothing. */
export interface TarScannerOptions {
  readonly algorithm: DigestAlgorithm | null;
  readonly engine: DigestEngine;
}

/** State of a path in the layer: 0 new, 1 only an ancestor of something seen, 2 seen itself. */
export type SeenState = 0 | 1 | 2;

const ENTRY = 1;
const DATA = 2;
/** Lowest bits of what scanNext returns. */
const MORE = 1;
const FAILED = 2;
const STATUS = 3;

/** A scanner of one tar stream, with an instance of the WebAssembly module of its own. */
export class TarScanner {
  /** What the tokens in paths stand for (raw_name.ts). */
  readonly rawNames: RawNames = new Map();
  readonly #algorithm: DigestAlgorithm | null;
  #instance: Exports | null = takeInstance();
  readonly #hash: Hash | null;
  #views: MemoryViews;
  #offset = 0;
  /** Bytes of the file that was delivered last. */
  #fileSize = 0;
  #ended = false;
  #failure: LayerfsError | null = null;

  constructor(options: TarScannerOptions) {
    this.#algorithm = options.algorithm;
    this.#views = viewsOf(this.#wasm);
    const native = options.algorithm !== null && options.engine === "native";
    this.#hash = native ? createHash(options.algorithm) : null;
    if (options.algorithm !== null && !native) {
      this.#wasm.hashInit(options.algorithm === "sha256" ? 0 : 1);
    }
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = crypto.getRandomValues(new Uint32Array(4));
    this.#wasm.scanInit(MAX_PAX_BYTES, MAX_PATH_BYTES, k0, k1, k2, k3);
  }

  /**
   * 1 MiB of linear memory, where the next bytes of the stream go, from its start. Valid until
   * the next {@linkcode feed} or {@linkcode markSeen}.
   */
  get window(): Uint8Array<ArrayBuffer> {
    this.#refresh();
    return new Uint8Array(this.#wasm.memory.buffer as ArrayBuffer, WINDOW, WINDOW_SIZE);
  }

  /** Bytes of the stream so far, those skipped included. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Hashes and scans the first `length` bytes of the window.
   *
   * @throws {LayerfsError} image-invalid, naming the entry and the offset of its header; what stands
   * before it was delivered. From then on every call throws the same.
   */
  feed(length: number, visitor: TarVisitor): void {
    if (this.#failure) throw this.#failure;
    if (this.#ended) throw new TypeError("Cannot feed the tar scanner: its stream is over");
    if (length > WINDOW_SIZE) {
      throw new RangeError(`Cannot feed ${length} bytes: window is smaller`);
    }
    if (this.#hash) this.#hash.update(this.window.subarray(0, length));
    else if (this.#algorithm !== null) this.#wasm.hashUpdate(WINDOW, length);
    this.#offset += length;
    this.#wasm.scanFeed(length);
    // Stays so when the visitor throws: the events behind that one are lost.
    this.#ended = true;
    this.#drain(visitor);
    this.#ended = false;
  }

  /** Puts bytes from elsewhere into the window, piece by piece, and feeds them. */
  write(bytes: Uint8Array, visitor: TarVisitor): void {
    for (let at = 0; at < bytes.length;) {
      const { window } = this;
      const part = bytes.subarray(at, at + window.length);
      window.set(part);
      this.feed(part.length, visitor);
      at += part.length;
    }
  }

  /**
   * Ends the stream.
   *
   * @throws {LayerfsError} image-invalid, when it ends within an entry or its headers
   */
  end(visitor: TarVisitor): void {
    this.feed(0, visitor);
    if (this.#wasm.scanEnd() !== 0) throw this.#fail();
    this.#ended = true;
  }

  /** Digest of everything fed. To be taken once, when all is fed. */
  digest(): Digest {
    if (this.#algorithm === null) throw new TypeError("Cannot take a digest: none was asked for");
    if (this.#hash) return formatDigest(this.#algorithm, new Uint8Array(this.#hash.digest()));
    const length = this.#wasm.hashFinish();
    return formatDigest(
      this.#algorithm,
      this.#views.bytes.slice(HASH_DIGEST, HASH_DIGEST + length),
    );
  }

  /** Gives its memory back for the next stream. Every call throws a TypeError from then on. */
  close(): void {
    if (this.#instance !== null) giveInstance(this.#instance);
    this.#instance = null;
  }

  get #wasm(): Exports {
    if (this.#instance !== null) return this.#instance;
    throw new TypeError("Cannot use the tar scanner: it is closed");
  }

  /** Bytes of file contents and padding that come next and may be left out by {@linkcode skip}. */
  skippable(): number {
    return this.#wasm.scanSkippable();
  }

  /**
   * Bytes of contents that come next, of a file that is not sparse: whoever has them elsewhere need
   * not put them into the window, but can {@linkcode skip} them.
   *
   * @returns how many, and where in the file the first of them belongs
   */
  contents(): { readonly length: number; readonly offset: number } {
    const length = this.#wasm.scanContents();
    return { length, offset: this.#fileSize - length };
  }

  /** Goes on as if the next `length` bytes were fed; their `data` calls do not happen. */
  skip(length: number): void {
    if (this.#algorithm !== null) throw new TypeError("Cannot skip: the stream is hashed");
    if (!(length >= 0 && length <= this.skippable())) {
      throw new RangeError(`Cannot skip ${length} bytes: ${this.skippable()} can be skipped`);
    }
    this.#wasm.scanSkip(length);
    this.#offset += length;
  }

  /**
   * Adds a path (in the form of {@linkcode TarEntry.path}) to the layer's set, and its ancestors as
   * implied. Entries other than whiteouts are added before they are delivered.
   *
   * @returns the state before
   * @throws {LayerfsError} `image-invalid` for a path that is longer than Linux allows
   */
  markSeen(path: string): SeenState {
    const length = this.#putPath(path);
    if (length === undefined) {
      throw new TypeError(`Cannot add path ${JSON.stringify(path)}: it is not of this layer`);
    }
    if (length >= MAX_PATH_BYTES) {
      throw new LayerfsError(
        "image-invalid",
        `its path is too long where it leads: ${length} bytes, of ${MAX_PATH_BYTES - 1} at most`,
      );
    }
    const node = this.#wasm.seenInsert(length);
    if (node === 0) throw this.#fail();
    this.#refresh();
    return this.#wasm.seenMark(node) as SeenState;
  }

  /** State of a path in the layer's set, as of the entry that is being delivered. */
  seen(path: string): SeenState {
    const length = this.#putPath(path);
    const isNone = length === undefined || length >= MAX_PATH_BYTES;
    return isNone ? 0 : this.#wasm.seenFind(length) as SeenState;
  }

  /**
   * Puts the bytes of a path where the module expects them, unless they are too many.
   *
   * @returns how many they are; undefined where it has a token that is of no name
   */
  #putPath(path: string): number | undefined {
    const bytes = decodeName(path, this.rawNames);
    if (bytes !== undefined && bytes.length < MAX_PATH_BYTES) {
      this.#views.bytes.set(bytes, HOST_PATH);
    }
    return bytes?.length;
  }

  #drain(visitor: TarVisitor): void {
    for (;;) {
      const result = this.#wasm.scanNext();
      this.#refresh();
      const status = result & STATUS;
      this.#deliver(EVENTS + (result & ~STATUS), visitor);
      if (status === FAILED) throw this.#fail();
      if (status !== MORE) return;
    }
  }

  #deliver(end: number, visitor: TarVisitor): void {
    const text = this.#views.buffer.toString("latin1", EVENTS, end);
    for (let at = EVENTS; at < end;) {
      // Views are read anew each time: the visitor may have added paths, which can grow the memory.
      const words = this.#views.words;
      const kind = words[at >> 2];
      const size = words[(at >> 2) + 1] ?? 0;
      if (kind === ENTRY) {
        const entry = this.#entry(text, at);
        this.#fileSize = entry.size;
        visitor.entry(entry);
      } else if (kind === DATA) {
        const start = words[(at >> 2) + 4] ?? 0;
        const bytes = this.#views.bytes.subarray(start, start + (words[(at >> 2) + 5] ?? 0));
        visitor.data(bytes, this.#views.floats[(at >> 3) + 1] ?? 0);
      } else visitor.end();
      at += size;
    }
  }

  #entry(text: string, at: number): TarEntry {
    const node = entryNode(this.#views, at);
    const state = node === 0 ? 0 : this.#wasm.seenMark(node);
    try {
      return decodeEntry(this.#views, text, at, state, this.rawNames);
    } catch (error) {
      if (error instanceof LayerfsError) this.#failure = error;
      throw error;
    }
  }

  /** Makes the views anew when the memory has grown, which detaches them. */
  #refresh(): void {
    if (this.#views.bytes.buffer !== this.#wasm.memory.buffer) this.#views = viewsOf(this.#wasm);
  }

  #fail(): LayerfsError {
    this.#refresh();
    const wasm = this.#wasm;
    const slice = (start: number, length: number) => this.#views.bytes.slice(start, start + length);
    this.#failure = scanError({
      code: wasm.errorCode(),
      headerOffset: wasm.errorOffset(),
      name: encodeName(slice(wasm.errorNamePointer(), wasm.errorNameLength()), new Map()),
      found: slice(wasm.errorTextPointer(), wasm.errorTextLength()),
    });
    return this.#failure;
  }
}

function viewsOf(wasm: Exports): MemoryViews {
  const buffer = wasm.memory.buffer;
  return {
    buffer: Buffer.from(buffer),
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    floats: new Float64Array(buffer),
  };
}
