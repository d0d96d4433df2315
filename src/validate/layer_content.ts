/**
 * Reads a layer for its facts: digests, format and entries. What is wrong with it is a fact like any
 * other, and does not end the reading.
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
import type { BlobLocation } from "../blob/location.ts";
import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import { type TarEntry, TarScanner, type TarVisitor } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { EXPANSION_GRACE_BYTES, MAX_EXPANSION_RATIO } from "../limits.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { readPieces } from "./contents.ts";
import { stateOf } from "./report.ts";

/** How many entries have some property, and the path of the first. */
export class Tally {
  count = 0;
  first = "";

  add(path: string): void {
    if (this.count++ === 0) this.first = path;
  }
}

/** What the entries of a layer are. */
export interface EntryFacts {
  entries: number;
  readonly duplicates: Tally;
  /** Files and links where the layer had entries below the same path before. */
  readonly replaced: Tally;
  readonly whiteouts: Tally;
  /** Whiteouts that are no empty file. */
  readonly oddWhiteouts: Tally;
  /** Whiteouts of a path that the same layer has. */
  readonly whiteoutsBeside: Tally;
  readonly opaque: Tally;
  readonly reserved: Tally;
  readonly sparse: Tally;
  readonly hardlinks: Tally;
  /** Hard links to nothing that this layer had before. */
  readonly linksBelow: Tally;
  readonly xattrs: Tally;
}

/** What a layer is. */
export interface LayerContent extends EntryFacts {
  readonly compression: Compression;
  /** Of the bytes as they are stored. */
  readonly blobDigest: Digest;
  /** Of the uncompressed bytes; null where they could not be read to the end. */
  readonly diffId: Digest | null;
  /** Why the bytes could not be decompressed; null if they could. */
  readonly compressionProblem: string | null;
  /** Why the entries could not be read to the end; null if they could. */
  readonly tarProblem: string | null;
}

/** Reads a layer through once. */
export function readLayer(
  location: BlobLocation,
  algorithms: { readonly blob: DigestAlgorithm; readonly diff: DigestAlgorithm },
  engine: DigestEngine,
): LayerContent {
  const reader = new LayerReader(algorithms.diff, engine);
  const hasher = createHasher(algorithms.blob, engine);
  try {
    readPieces(location, (piece) => {
      hasher.update(piece);
      reader.write(piece);
    });
    reader.end();
  } finally {
    reader.close();
  }
  return {
    ...reader.facts,
    compression: reader.compression,
    blobDigest: formatDigest(hasher.algorithm, hasher.digest()),
    diffId: reader.diffId(),
    compressionProblem: reader.compressionProblem,
    tarProblem: reader.tarProblem,
  };
}

class LayerReader {
  readonly facts: EntryFacts;
  compression: Compression = "none";
  compressionProblem: string | null = null;
  tarProblem: string | null = null;
  readonly #scanner: TarScanner;
  readonly #visitor: TarVisitor & { end(): void; finish(): void };
  readonly #hasher: Hasher;
  #decompressor: Decompressor | null = null;
  #read = 0;
  #written = 0;

  constructor(algorithm: DigestAlgorithm, engine: DigestEngine) {
    this.#scanner = new TarScanner({ algorithm: null, engine });
    this.#hasher = createHasher(algorithm, engine);
    this.facts = noFacts();
    this.#visitor = entryVisitor(this.facts, this.#scanner);
  }

  write(piece: Uint8Array): void {
    if (this.#read === 0) this.#begin(piece);
    this.#read += piece.length;
    if (this.compressionProblem !== null) return;
    try {
      if (this.#decompressor === null) this.#copy(piece);
      else this.#decompress(this.#decompressor, piece);
    } catch (error) {
      this.compressionProblem = stateOf(error);
    }
  }

  end(): void {
    if (this.compressionProblem === null) {
      try {
        this.#decompressor?.end();
      } catch (error) {
        this.compressionProblem = stateOf(error);
      }
    }
    // Where decompression failed, the archive ends early, too: that is one problem, not two.
    if (this.compressionProblem === null) this.#scan(() => this.#scanner.end(this.#visitor));
    this.#visitor.finish();
  }

  diffId(): Digest | null {
    if (this.compressionProblem !== null) return null;
    return formatDigest(this.#hasher.algorithm, this.#hasher.digest());
  }

  close(): void {
    this.#decompressor?.close();
    this.#decompressor = null;
  }

  #begin(piece: Uint8Array): void {
    this.compression = detectCompression(piece.subarray(0, MAGIC_BYTES));
    if (this.compression !== "none") this.#decompressor = createDecompressor(this.compression);
  }

  #copy(piece: Uint8Array): void {
    for (let offset = 0; offset < piece.length;) {
      const window = this.#scanner.window;
      const part = piece.subarray(offset, offset + window.length);
      window.set(part);
      this.#take(window.subarray(0, part.length));
      offset += part.length;
    }
  }

  #decompress(decompressor: Decompressor, piece: Uint8Array): void {
    for (let offset = 0, full = false; offset < piece.length || full;) {
      const window = this.#scanner.window;
      const { consumed, produced } = decompressor.write(piece, offset, window);
      offset += consumed;
      full = produced === window.length;
      this.#take(window.subarray(0, produced));
    }
  }

  /** Hashes and scans bytes at the start of the window. */
  #take(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    this.#written += bytes.length;
    this.#scan(() => this.#scanner.feed(bytes.length, this.#visitor));
    if (this.#written < EXPANSION_GRACE_BYTES) return;
    if (this.#written <= this.#read * MAX_EXPANSION_RATIO) return;
    throw new LayerfsError(
      "image-invalid",
      `Cannot decompress: ${this.#read} bytes expand to more than ${this.#written}`,
    );
  }

  #scan(step: () => void): void {
    if (this.tarProblem !== null) return;
    try {
      step();
    } catch (error) {
      // With its place: "Cannot read tar entry NAME at byte N: …".
      stateOf(error);
      this.tarProblem = (error as LayerfsError).message.replace(/^Cannot read /, "");
    }
  }
}

function noFacts(): EntryFacts {
  return {
    entries: 0,
    duplicates: new Tally(),
    replaced: new Tally(),
    whiteouts: new Tally(),
    oddWhiteouts: new Tally(),
    whiteoutsBeside: new Tally(),
    opaque: new Tally(),
    reserved: new Tally(),
    sparse: new Tally(),
    hardlinks: new Tally(),
    linksBelow: new Tally(),
    xattrs: new Tally(),
  };
}

/** Paths that are remembered to the end of the layer. */
const REMEMBERED = 100_000;

function entryVisitor(facts: EntryFacts, scanner: TarScanner): TarVisitor & { finish(): void } {
  const hidden: string[] = [];
  let current: TarEntry | null = null;
  let stored = 0;
  return {
    entry(entry) {
      current = entry;
      stored = 0;
      facts.entries++;
      if (entry.whiteout === "none") tallyEntry(facts, entry, scanner);
      else tallyWhiteout(facts, entry);
      if (entry.whiteout === "hide" && hidden.length < REMEMBERED) hidden.push(entry.hidden);
    },
    data(bytes) {
      stored += bytes.length;
    },
    end() {
      // Holes have no data.
      if (current !== null && stored < current.size) facts.sparse.add(current.path);
    },
    finish() {
      for (const path of hidden) if (scanner.seen(path) === 2) facts.whiteoutsBeside.add(path);
    },
  };
}

function tallyEntry(facts: EntryFacts, entry: TarEntry, scanner: TarScanner): void {
  const { path, type, linkPath } = entry;
  if (entry.duplicate) facts.duplicates.add(path);
  if (entry.implied && type !== "directory") facts.replaced.add(path);
  if (entry.xattrs !== null) facts.xattrs.add(path);
  if (type !== "hardlink") return;
  facts.hardlinks.add(path);
  if (scanner.seen(linkPath) !== 2) facts.linksBelow.add(path);
}

function tallyWhiteout(facts: EntryFacts, entry: TarEntry): void {
  const { path, whiteout } = entry;
  if (whiteout === "reserved") {
    facts.reserved.add(path);
    return;
  }
  (whiteout === "opaque" ? facts.opaque : facts.whiteouts).add(path);
  if (entry.type !== "file" || entry.size > 0) facts.oddWhiteouts.add(path);
}
