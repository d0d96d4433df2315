/**
 * Compares what the entries of a layer say of its files, beside their contents, with its tree.
 *
 * Left out are extended attributes, and files whose names are not UTF-8, as Deno can read neither;
 * times below a millisecond; times that not every filesystem can hold; and, for an ordinary user,
 * owners and devices. What is in the tree and in no entry is found only where the layer says that
 * there is nothing: at whiteouts. Elsewhere it could be of a layer below.
 *
 * @module
 */

import type fs from "node:fs";
import { hasRawName } from "../core/raw_name.ts";
import type { TarEntry, TarScanner, TarVisitor } from "../core/tar_scanner.ts";
import { kindOf } from "./file_kind.ts";
import { joinRelative } from "./root_path.ts";
import type { TreeFiles } from "./verify_layer_files.ts";

/** Seconds from which on a filesystem of 32-bit times gives another time back. */
const MAX_SECONDS = 2 ** 31;

export class MetadataCheck implements TarVisitor {
  readonly #files: TreeFiles;
  readonly #scanner: TarScanner;
  readonly #asRoot: boolean;
  /** Resolved paths of entries by the offsets of their headers, where their names are others. */
  readonly places = new Map<number, string>();
  /** What is wrong, by path; a later entry of the same path takes it back. */
  readonly #wrong = new Map<string, string>();
  /** Hard links that are not the same file as their targets, which may yet be replaced. */
  readonly #apart = new Map<string, string>();
  readonly #hidden = new Set<string>();
  readonly #opaque = new Set<string>();

  /** @param asRoot whether the tree has the owners and devices that the layer says */
  constructor(files: TreeFiles, scanner: TarScanner, asRoot: boolean) {
    this.#files = files;
    this.#scanner = scanner;
    this.#asRoot = asRoot;
  }

  entry(entry: TarEntry): void {
    const place = this.places.get(entry.headerOffset) ?? entry.path;
    this.places.delete(entry.headerOffset);
    if (entry.whiteout === "hide") this.#hidden.add(entry.hidden);
    else if (entry.whiteout === "opaque") this.#opaque.add(entry.hidden);
    if (entry.whiteout !== "none") return;
    if (place !== entry.path) this.#scanner.markSeen(place);
    this.#wrong.delete(place);
    for (const [link, target] of this.#apart) {
      if (link === place || target === place) this.#apart.delete(link);
    }
    if (hasRawName(place)) return;
    const isDevice = entry.type === "character" || entry.type === "block";
    if (isDevice && !this.#asRoot) return;
    const what = this.#compare(entry, place);
    if (what !== null) this.#wrong.set(place, what);
  }

  data(): void {}

  end(): void {}

  /** What is wrong, by path, once all entries have been shown. */
  differences(): Map<string, string> {
    for (const [link, target] of this.#apart) {
      this.#wrong.set(link, `is not the same file as "${target}"`);
    }
    for (const path of this.#hidden) this.#checkHidden(path, "is there, but the layer removes it");
    for (const directory of this.#opaque) this.#checkOpaque(directory);
    return this.#wrong;
  }

  #compare(entry: TarEntry, place: string): string | null {
    const stat = this.#files.stat(place);
    if (stat === null) {
      // Its target may be a device that an ordinary user cannot have.
      return entry.type === "hardlink" && !this.#asRoot ? null : "is missing";
    }
    if (entry.type === "hardlink") return this.#compareLink(entry, place, stat);
    const type = kindOf(stat);
    if (type !== entry.type) return `is a ${type}, not a ${entry.type}`;
    if (type === "file" && stat.size !== entry.size) {
      return `size is ${stat.size}, not ${entry.size}`;
    }
    const mode = stat.mode & 0o7777;
    if (type !== "symlink" && mode !== entry.mode) {
      return `mode is ${octal(mode)}, not ${octal(entry.mode)}`;
    }
    if (this.#asRoot && (stat.uid !== entry.uid || stat.gid !== entry.gid)) {
      return `owner is ${stat.uid}:${stat.gid}, not ${entry.uid}:${entry.gid}`;
    }
    return this.#compareTarget(entry, place) ?? compareTime(entry, stat) ??
      compareDevice(entry, stat);
  }

  #compareLink(entry: TarEntry, place: string, stat: fs.Stats): string | null {
    if (stat.isDirectory()) return "is a directory, not a hardlink";
    const target = entry.linkPath;
    const other = hasRawName(target) ? null : this.#files.stat(target);
    // What is not there has been hidden: the link outlives it.
    if (other === null || isWhiteout(other) || target === place) return null;
    if (other.ino !== stat.ino || other.dev !== stat.dev) this.#apart.set(place, target);
    return null;
  }

  #compareTarget(entry: TarEntry, place: string): string | null {
    if (entry.type !== "symlink" || entry.linkBytes !== null) return null;
    const target = this.#files.target(place);
    return target === entry.linkPath ? null : `target is "${target}", not "${entry.linkPath}"`;
  }

  #checkHidden(path: string, what: string): void {
    if (hasRawName(path) || this.#scanner.seen(path) !== 0) return;
    const stat = this.#files.stat(path);
    if (stat !== null && !isWhiteout(stat)) this.#wrong.set(path, what);
  }

  #checkOpaque(directory: string): void {
    if (hasRawName(directory) || !this.#files.stat(directory)?.isDirectory()) return;
    for (const name of this.#files.list(directory)) {
      this.#checkHidden(joinRelative(directory, name), "is there, but not in the layer");
    }
  }
}

/** How overlayfs says that a name of the layers below is gone. */
function isWhiteout(stat: fs.Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

function compareTime({ mtime }: TarEntry, stat: fs.Stats): string | null {
  if (mtime.seconds < 0 || mtime.seconds >= MAX_SECONDS) return null;
  const wanted = mtime.seconds * 1000 + Math.floor(mtime.nanoseconds / 1_000_000);
  const found = Math.floor(stat.mtimeMs);
  return found === wanted ? null : `time is ${found / 1000}, not ${wanted / 1000}`;
}

function compareDevice(entry: TarEntry, stat: fs.Stats): string | null {
  if (entry.type !== "character" && entry.type !== "block") return null;
  // Linux makedev(3), for numbers of 12 and 20 bits.
  const found = `${stat.rdev >> 8 & 0xfff}:${stat.rdev & 0xff | stat.rdev >> 12 & 0xfff00}`;
  const wanted = `${entry.major}:${entry.minor}`;
  return found === wanted ? null : `device is ${found}, not ${wanted}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
