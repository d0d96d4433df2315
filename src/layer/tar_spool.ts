/**
 * What is left to `tar`: small files, and all that Deno has no call for, devices, FIFOs, extended
 * attributes, times finer than a millisecond, symlink targets that are not UTF-8.
 *
 * tar makes a small file in a third of the time that Deno takes, which looks up every directory of a
 * path whenever it opens one (measured). Entries are collected as a tar archive in a spool file;
 * once it is large, it is extracted while the next one is filled. Reading a file, tar is twice as
 * fast as at the end of a pipe (measured).
 *
 * Whatever waits for tar is not in the tree yet, or in the making: whoever looks at a path asks
 * {@linkcode TarSpool.isWaiting} first. tar sees resolved paths only: all their parents are real directories.
 *
 * @module
 */

import fs from "node:fs";
import type { TarHeader } from "../tar/header.ts";
import { encodeSparseMap, type SparseRegion, wholePages } from "../tar/sparse_map.ts";
import type { Attributes } from "./attributes.ts";
import type { Extractor } from "./extractor.ts";
import type { NewFiles } from "./new_files.ts";
import { parentOf } from "./root_path.ts";
import { type ContentWriter, SpoolFile } from "./spool_file.ts";

const OWNER_WRITE = 0o200;

/** Files up to this size are tar's: beyond, copying the content twice costs more than Deno's calls. */
export const SMALL_FILE_BYTES = 64 * 1024;

/** Bytes that are written to a spool at once: to that of most files, and to that of the others. */
const BUFFER_BYTES = 1024 * 1024;
const OTHER_BUFFER_BYTES = 128 * 1024;

/**
 * Bytes of a spool from which on it is extracted, so that tar works beside us. The first of a layer is
 * small, as tar has nothing to do until it is there; each of those behind it is twice as large, up to
 * the most.
 */
const FIRST_SPOOL_BYTES = 2 * 1024 * 1024;
const MOST_SPOOL_BYTES = 16 * 1024 * 1024;

/** The tree that a spool is for. */
export interface SpoolPlace {
  readonly root: string;
  /** A directory of our own on any filesystem, for the spool files. */
  readonly scratch: string;
  /** Whether owners can be set. */
  readonly asRoot: boolean;
  readonly newFiles: NewFiles;
  /** The number of the first layer. */
  readonly first: number;
}

export class TarSpool {
  readonly #place: SpoolPlace;
  readonly #extractor: Extractor;
  /** What is as it is made, and what tar must give its owner. */
  readonly #plain: SpoolFile;
  readonly #others: SpoolFile;
  /** Paths that wait, and all directories above them. */
  readonly #paths = new Set<string>();
  readonly #parents = new Set<string>();
  /** Those of files, and where these wait. */
  readonly #files = new Map<string, SpoolFile>();
  /** Modes to be set after tar: without write permission, an owner cannot set an xattr either. */
  readonly #modes = new Map<string, number>();
  #spools = 0;
  /** The layer in hand, from 0. */
  #layer: number;
  /** Bytes from which on a spool is extracted. */
  #spoolBytes = FIRST_SPOOL_BYTES;
  /** What could not be kept, for people to read. */
  readonly warnings: string[] = [];

  constructor(place: SpoolPlace, extractor: Extractor) {
    this.#place = place;
    this.#extractor = extractor;
    this.#layer = place.first - 1;
    const newPath = () => `${place.scratch}/spool-${this.#spools++}.tar`;
    this.#plain = new SpoolFile(newPath, BUFFER_BYTES);
    this.#others = new SpoolFile(newPath, OTHER_BUFFER_BYTES);
  }

  /** Whether `path` itself waits. */
  isWaiting(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Whether a file waits at `path`, so that a link to it can wait too. */
  hasFile(path: string): boolean {
    return this.#files.has(path);
  }

  /** Whether something at or below `path` waits. */
  hasBelow(path: string): boolean {
    return this.#paths.has(path) || this.#parents.has(path);
  }

  /** Adds something without content: a device, a FIFO, a symlink. Its path must be free. */
  addNode(header: TarHeader): void {
    this.#add(this.#spoolFor(header), header, header.path as string);
  }

  /** Adds another name, whose path must be free, of a file that waits at `target`. */
  addLink(path: string, target: string): void {
    const spool = this.#files.get(target);
    if (spool === undefined) throw new TypeError(`no file waits at ${target}`);
    this.#add(spool, { type: "hardlink", path, linkPath: target, mode: 0 }, path);
    this.#files.set(path, spool);
  }

  /** Adds the attributes of a directory that exists. */
  addDirectory(path: string, attributes: Attributes): void {
    const header = { type: "directory", path: path === "" ? "." : path, ...attributes } as const;
    this.#add(this.#others, header, path);
  }

  /**
   * Adds a regular file, whose path must be free.
   *
   * @param size bytes of the whole file
   * @param regions of a sparse file what is no hole, and is written in this order; null for any other
   */
  addFile(
    path: string,
    attributes: Attributes,
    size: number,
    regions: readonly SparseRegion[] | null,
  ): ContentWriter {
    const { mode, uid, gid, mtime, xattrs } = attributes;
    const isShut = !this.#place.asRoot && xattrs !== null && (mode & OWNER_WRITE) === 0;
    if (isShut) this.#modes.set(path, mode);
    const writable = isShut ? mode | OWNER_WRITE : mode;
    const spool = this.#spoolFor(attributes);
    const header = { type: "file", path, mode: writable, uid, gid, mtime, xattrs } as const;
    this.#files.set(path, spool);
    if (regions !== null) return this.#addSparse(spool, { ...header, sparseSize: size }, regions);
    this.#add(spool, { ...header, size }, path);
    return spool.addContent(size);
  }

  #addSparse(
    spool: SpoolFile,
    header: TarHeader & { readonly path: string; readonly sparseSize: number },
    regions: readonly SparseRegion[],
  ): ContentWriter {
    const pages = wholePages(regions, header.sparseSize);
    const map = encodeSparseMap(pages, header.sparseSize);
    const size = pages.reduce((sum, { length }) => sum + length, map.length);
    this.#add(spool, { ...header, size }, header.path);
    const write = spool.addContent(size);
    write(map, 0);
    // What comes next belongs to the page at hand, or to one behind it.
    let index = 0;
    let start = map.length;
    return (bytes, fileOffset) => {
      let page = pages[index]!;
      for (; fileOffset >= page.offset + page.length; page = pages[++index]!) start += page.length;
      write(bytes, start + fileOffset - page.offset);
    };
  }

  /** Says that the next layer begins: what is added belongs to that. */
  beginLayer(): void {
    this.extract();
    this.#layer++;
    this.#spoolBytes = FIRST_SPOOL_BYTES;
  }

  /** Extracts all that waits. */
  flush(): void {
    if (this.#paths.size === 0) return;
    this.extract();
    this.warnings.push(...this.#extractor.finish());
    this.#paths.clear();
    this.#files.clear();
    this.#parents.clear();
    for (const [path, mode] of this.#modes) fs.chmodSync(`${this.#place.root}/${path}`, mode);
    this.#modes.clear();
  }

  /** Drops what waits. */
  close(): void {
    this.#plain.close();
    this.#others.close();
  }

  /** Ends the spools and lets tar begin with them. */
  extract(): void {
    for (const spool of [this.#plain, this.#others]) {
      const finished = spool.finish();
      if (finished === null) continue;
      this.#extractor.begin({
        spool: finished.path,
        layer: this.#layer,
        root: this.#place.root,
        setsOwner: this.#place.asRoot && spool === this.#others,
        hasXattrs: finished.hasXattrs,
      });
    }
  }

  /** The spool of something that belongs to these. */
  #spoolFor(owner: { readonly uid?: number; readonly gid?: number }): SpoolFile {
    const isPlain = !this.#place.asRoot || this.#place.newFiles.belongTo(owner);
    return isPlain ? this.#plain : this.#others;
  }

  #add(spool: SpoolFile, header: TarHeader, path: string): void {
    if (spool.size >= this.#spoolBytes) {
      this.extract();
      this.#spoolBytes = Math.min(2 * this.#spoolBytes, MOST_SPOOL_BYTES);
    }
    spool.addHeader(header);
    this.#paths.add(path);
    for (let at = parentOf(path); !this.#parents.has(at); at = parentOf(at)) this.#parents.add(at);
  }
}
