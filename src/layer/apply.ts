/**
 * One layer, applied to a tree that holds the layers below it.
 *
 * @module
 */

import fs from "node:fs";
import { encodeName, hasRawName } from "../core/raw_name.ts";
import type { TarEntry, TarScanner, TarVisitor } from "../core/tar_scanner.ts";
import { LayerfsError, within } from "../errors.ts";
import { storageError } from "../system_error.ts";
import type { TarHeader } from "../tar/header.ts";
import { NeedsLower } from "./apart.ts";
import {
  type Attributes,
  isSettableLinkTime,
  isSettableTime,
  setOpenFileAttributes,
} from "./attributes.ts";
import { ExtractionFailed } from "./extractor.ts";
import type { Place } from "./occupied_places.ts";
import { recordOwner } from "./rootless.ts";
import type { ContentWriter } from "./spool_file.ts";
import { SMALL_FILE_BYTES } from "./tar_spool.ts";
import type { Tree } from "./tree.ts";
import { hide, hideChildren } from "./whiteout.ts";
import { writeAll } from "./write_all.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/** Highest user or group id; 2^32-1 means "no change" to chown(2). */
const MAX_ID = 0xfffffffe;

/** What a file has that overlayfs reads as its own: an image must not say it (SPEC-NOTES). */
const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\./;

/** The content of an entry that has none, or none that counts. */
const NO_CONTENT: ContentWriter = () => {};

/** Applies the entries of one layer as a {@linkcode TarScanner} finds them. */
export class LayerApplier implements TarVisitor {
  readonly #tree: Tree;
  readonly #scanner: TarScanner;
  readonly #warn: (warning: string) => void;
  #path = "";
  #write: ContentWriter = NO_CONTENT;
  #finish: () => void = () => {};
  /** The file being written, to be closed when the entry ends or fails. */
  #fd: number | null = null;

  /** Resolved path of the entry at hand; null for a whiteout. */
  place: string | null = null;
  /** Whether a file or directory of this same layer had to go for it. */
  hasReplacedOwn = false;
  /** Whether the layer has had something at the place before, or below it. */
  #isOwn = false;

  /** @param warn takes what could not be kept of the layer, for people to read */
  constructor(tree: Tree, scanner: TarScanner, warn: (warning: string) => void) {
    this.#tree = tree;
    this.#scanner = scanner;
    this.#warn = warn;
    tree.beginLayer();
    tree.rawNames.teach(scanner.rawNames);
  }

  entry(entry: TarEntry): void {
    this.#path = entry.path;
    this.place = null;
    this.hasReplacedOwn = false;
    this.#write = NO_CONTENT;
    this.#finish = () => {};
    this.#guard(() => this.#apply(entry));
  }

  data(bytes: Uint8Array, fileOffset: number): void {
    this.#guard(() => this.#write(bytes, fileOffset));
  }

  end(): void {
    this.#guard(() => this.#finish());
    this.close();
  }

  /** Closes the file of an entry that was not ended. */
  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    if (fd !== null) fs.closeSync(fd);
  }

  /** Names the entry in every error. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof ExtractionFailed) throw error; // of what came before
      if (error instanceof NeedsLower) throw error;
      const what = `entry "${this.#path}"`;
      if (!(error instanceof LayerfsError)) throw storageError(error, what);
      throw within(error, what, { entry: this.#path });
    }
  }

  #apply(entry: TarEntry): void {
    if (this.#scanner.rawNames.size > 0) this.#needLower("names that are not UTF-8");
    if (entry.whiteout === "reserved") return;
    if (entry.whiteout === "hide") return hide(this.#tree, this.#scanner, entry.hidden);
    if (entry.whiteout === "opaque") return hideChildren(this.#tree, this.#scanner, entry.hidden);
    if (entry.path === "") return this.#root(entry);
    const place = this.#tree.place(entry.path);
    this.place = place.path;
    this.#isOwn = place.path === entry.path
      ? entry.duplicate || entry.implied
      : this.#scanner.markSeen(place.path) !== 0;
    this.#noteRawNames(place.path);
    if (entry.type === "directory") {
      if (entry.implied) this.#tree.apart?.late.add(place.path);
      return this.#directory(place, this.#attributes(entry));
    }
    if (entry.type === "hardlink") return this.#hardlink(place, entry);
    const obstacle = this.#deviceObstacle(entry);
    if (obstacle !== null) {
      this.#needLower("devices that are left out");
      this.#makeRoom(place);
      this.#tree.skipped.add(place.path);
      this.#warn(`"${entry.path}": skipped, as ${obstacle}`);
      return;
    }
    const attributes = this.#attributes(entry);
    if (entry.type === "file") this.#file(place, entry, attributes);
    else if (entry.type === "symlink") this.#symlink(place, entry, attributes);
    else this.#node(place, entry, attributes);
  }

  /** Why a device cannot be made; null for one that can, and for anything else. */
  #deviceObstacle({ type, major, minor }: TarEntry): string | null {
    if (type !== "character" && type !== "block") return null;
    if (!this.#tree.asRoot) return "only root can make a device";
    const isWhiteout = type === "character" && major === 0 && minor === 0;
    return isWhiteout ? "overlayfs takes the device 0:0 for a whiteout" : null;
  }

  /** Every component may be a token: a missing parent has been made from it. */
  #noteRawNames(path: string): void {
    if (this.#scanner.rawNames.size === 0) return;
    for (let slash = -1, parent = ""; slash < path.length;) {
      const end = path.indexOf("/", slash + 1) < 0 ? path.length : path.indexOf("/", slash + 1);
      const name = path.slice(slash + 1, end);
      const bytes = this.#scanner.rawNames.get(name);
      if (bytes !== undefined) this.#tree.rawNames.note(parent, name, bytes);
      parent = path.slice(0, end);
      slash = end;
    }
  }

  /** What the entry says, as far as this user can set it. */
  #attributes(entry: TarEntry): Attributes {
    const { uid, gid, mode, mtime } = entry;
    if (uid < 0 || uid > MAX_ID || gid < 0 || gid > MAX_ID) {
      throw new LayerfsError("image-invalid", `owner ${uid}:${gid} is not within 0 to ${MAX_ID}`);
    }
    let xattrs = entry.xattrs;
    for (const name of xattrs?.keys() ?? []) {
      if (!OVERLAY_XATTR.test(name)) continue;
      this.#warn(`"${entry.path}": dropped ${name}, which only overlayfs may set`);
      xattrs = new Map([...xattrs!].filter(([other]) => !OVERLAY_XATTR.test(other)));
    }
    const attributes = { mode, uid, gid, mtime, xattrs: xattrs?.size ? xattrs : null };
    if (this.#tree.asRoot) return attributes;
    const { kept, dropped } = recordOwner(attributes, entry.type);
    for (const name of dropped) this.#warn(`"${entry.path}": ${name} needs root, not set`);
    return kept;
  }

  #root(entry: TarEntry): void {
    if (entry.type !== "directory") {
      throw new LayerfsError("image-invalid", `the root itself cannot be a ${entry.type}`);
    }
    this.place = "";
    this.#tree.setDirectoryAttributes("", this.#attributes(entry));
  }

  #directory(place: Place, attributes: Attributes): void {
    if (!this.#tree.hasDirectory(place.path)) this.#ensureDirectory(place);
    this.#tree.setDirectoryAttributes(place.path, attributes);
  }

  #ensureDirectory(place: Place): void {
    const stat = this.#occupant(place);
    if (stat?.isDirectory()) return;
    if (stat !== null) {
      this.#needLower("a directory in the place of what it has had itself");
      this.#remove(place, stat);
    }
    this.#tree.makeDirectory(place.path);
  }

  #file(place: Place, entry: TarEntry, attributes: Attributes): void {
    const isTars = entry.size <= SMALL_FILE_BYTES || attributes.xattrs !== null ||
      !isSettableTime(attributes.mtime);
    this.#makeRoom(place);
    if (isTars) {
      const { size, sparse } = entry;
      this.#write = this.#tree.spool.addFile(place.path, attributes, size, sparse);
      return;
    }
    const absolute = this.#tree.absolute(place.path);
    const fd = fs.openSync(absolute, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    this.#fd = fd;
    let end = 0;
    this.#write = (bytes, fileOffset) => {
      writeAll(fd, bytes, fileOffset);
      end = fileOffset + bytes.length;
    };
    this.#finish = () => {
      if (end !== entry.size) fs.ftruncateSync(fd, entry.size);
      setOpenFileAttributes(fd, absolute, attributes, this.#tree.asRoot);
    };
  }

  #symlink(place: Place, entry: TarEntry, attributes: Attributes): void {
    if (entry.linkPath === "" && entry.linkBytes === null) {
      throw new LayerfsError("image-invalid", "the symbolic link has an empty target");
    }
    this.#makeRoom(place);
    const plain = entry.linkBytes === null && isSettableLinkTime(attributes.mtime) &&
      attributes.xattrs === null;
    const rawTarget = entry.linkBytes ??
      (hasRawName(entry.linkPath) ? new TextEncoder().encode(entry.linkPath) : null);
    if (rawTarget !== null) {
      this.#needLower("link targets that are not UTF-8");
      encodeName(rawTarget, this.#scanner.rawNames); // a directory may be made from it
      this.#tree.rawNames.noteLink(place.path, rawTarget);
    }
    if (!plain) return this.#tree.spool.addNode(header(place, entry, attributes));
    const absolute = this.#tree.absolute(place.path);
    fs.symlinkSync(entry.linkPath, absolute);
    if (this.#tree.asRoot && !this.#tree.newFiles.belongTo(attributes)) {
      fs.lchownSync(absolute, attributes.uid, attributes.gid);
    }
    fs.lutimesSync(absolute, attributes.mtime.seconds, attributes.mtime.seconds);
  }

  /** A device or a FIFO. */
  #node(place: Place, entry: TarEntry, attributes: Attributes): void {
    this.#makeRoom(place);
    this.#tree.spool.addNode(header(place, entry, attributes));
  }

  /** The target is followed up to its last component, which may be a symlink to be linked itself. */
  #hardlink(place: Place, entry: TarEntry): void {
    const target = entry.linkPath === "" ? null : this.#tree.find(entry.linkPath);
    if (target !== null && this.#canWaitFor(target.path, place.path)) {
      this.#makeRoom(place);
      // To make room can take all that waits to be written.
      if (this.#tree.spool.hasFile(target.path)) {
        return this.#tree.spool.addLink(place.path, target.path);
      }
    }
    const stat = target === null ? null : this.#tree.stat(target.path);
    if (target !== null && stat === null && this.#tree.skipped.has(target.path)) {
      this.#warn(`"${entry.path}": skipped, as its target "${entry.linkPath}" was`);
      return;
    }
    if (target === null || stat === null || stat.isDirectory()) {
      const state = stat === null ? "does not exist" : "is a directory";
      throw new LayerfsError("image-invalid", `its link target "${entry.linkPath}" ${state}`);
    }
    if (target.path === place.path) return;
    if (target.path.startsWith(`${place.path}/`)) {
      throw new LayerfsError("image-invalid", `its link target "${entry.linkPath}" is below it`);
    }
    this.#makeRoom(place);
    fs.linkSync(this.#tree.absolute(target.path), this.#tree.absolute(place.path));
    this.#tree.rawNames.copyLink(target.path, place.path);
  }

  /** Whether a link from `path` can be made by tar, with its target, which is not there yet. */
  #canWaitFor(target: string, path: string): boolean {
    if (target === path || target.startsWith(`${path}/`)) return false;
    return this.#tree.spool.hasFile(target);
  }

  /** The layer has what only its turn can tell the meaning of. @throws {NeedsLower} where it is apart */
  #needLower(what: string): void {
    if (this.#tree.apart !== null) throw new NeedsLower(what);
  }

  /** Removes what is in the way of anything but a directory. */
  #makeRoom(place: Place): void {
    const stat = this.#occupant(place);
    if (stat !== null) this.#remove(place, stat);
  }

  /** What is at `place` already, of the layers below or of this one; null for nothing. */
  #occupant(place: Place): fs.Stats | null {
    return this.#isOwn || this.#tree.mayHaveOther(place) ? this.#tree.stat(place.path) : null;
  }

  #remove(place: Place, stat: fs.Stats): void {
    if (!stat.isFile()) this.#needLower("something in the place of what it has had itself");
    this.hasReplacedOwn = this.#isOwn && (stat.isFile() || stat.isDirectory());
    this.#tree.remove(place.path, stat);
  }
}

function header(place: Place, entry: TarEntry, attributes: Attributes): TarHeader {
  const { type, major, minor } = entry;
  const base = { type, path: place.path, major, minor, ...attributes };
  return type === "symlink" ? { ...base, linkPath: entry.linkBytes ?? entry.linkPath } : base;
}
