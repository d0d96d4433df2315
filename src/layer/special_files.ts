/**
 * Files that Deno has no call for: devices, FIFOs, anything with extended attributes, times finer
 * than a millisecond, symlink targets that are not UTF-8.
 *
 * They are collected as a tar archive in a spool file, which one `tar` child extracts. Reading a
 * file, tar is twice as fast as at the end of a pipe (measured). A file in waiting has an empty
 * placeholder in the tree, so that every look at the tree finds it; whoever wants to remove or link
 * it flushes first. tar sees resolved paths only: all their parents are real directories.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { isInterrupted, runSync } from "../process.ts";
import { encodeHeader, endOfArchive, padding, type TarHeader } from "../tar/header.ts";
import type { Attributes } from "./attributes.ts";

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

const OWNER_WRITE = 0o200;

/** What its messages begin with: Deno starts a program by its full path. */
const PROGRAM_NAME = /^(?:\/\S*\/)?tar: /;

/** tar's complaints about what the filesystem cannot hold: it goes on, and so do we, saying so. */
const ATTRIBUTE_WARNING = /^.*: Cannot (?:set|setxattr|lsetxattr|fsetxattr)/;

export class SpecialFiles {
  readonly #root: string;
  readonly #spoolPath: string;
  readonly #asRoot: boolean;
  readonly #paths = new Set<string>();
  /** Modes to be set after tar: without write permission, an owner cannot set an xattr either. */
  readonly #modes = new Map<string, number>();
  #fd: number | null = null;
  #position = 0;
  /** What could not be kept, for people to read. */
  readonly warnings: string[] = [];

  constructor(root: string, scratch: string, asRoot: boolean) {
    this.#root = root;
    this.#spoolPath = `${scratch}/special.tar`;
    this.#asRoot = asRoot;
  }

  /** Whether something at or below `path` waits. */
  hasBelow(path: string): boolean {
    if (this.#paths.size === 0) return false;
    if (this.#paths.has(path)) return true;
    for (const waiting of this.#paths) if (waiting.startsWith(`${path}/`)) return true;
    return false;
  }

  /** Adds something without content: a device, a FIFO, a symlink. Its path must be free. */
  addNode(header: TarHeader): void {
    this.#placeholder(header.path as string);
    this.#append(encodeHeader(header));
  }

  /** Adds the attributes of a directory that exists. */
  addDirectory(path: string, attributes: Attributes): void {
    this.#append(
      encodeHeader({ type: "directory", path: path === "" ? "." : path, ...attributes }),
    );
    this.#paths.add(path);
  }

  /**
   * Adds a regular file, whose path must be free.
   *
   * @param size bytes of the whole file
   * @returns what writes a piece of its content at an offset of the file
   */
  addFile(
    path: string,
    attributes: Attributes,
    size: number,
  ): (bytes: Uint8Array, fileOffset: number) => void {
    this.#placeholder(path);
    const { mode } = attributes;
    if (!this.#asRoot && (mode & OWNER_WRITE) === 0) this.#modes.set(path, mode);
    const writable = this.#asRoot ? mode : mode | OWNER_WRITE;
    this.#append(encodeHeader({ type: "file", path, size, ...attributes, mode: writable }));
    const fd = this.#fd!;
    const start = this.#position;
    this.#position += size + padding(size).length;
    fs.ftruncateSync(fd, this.#position);
    return (bytes, fileOffset) => writeAll(fd, bytes, start + fileOffset);
  }

  /** Extracts all that waits. */
  flush(): void {
    if (this.#fd === null) return;
    try {
      this.#append(endOfArchive());
    } finally {
      fs.closeSync(this.#fd);
      this.#fd = null;
    }
    const { code, stderr } = runSync("tar", [
      "--extract",
      `--file=${this.#spoolPath}`,
      `--directory=${this.#root}`,
      "--preserve-permissions",
      "--numeric-owner",
      "--warning=no-unknown-keyword", // hdrcharset, which it obeys all the same
      this.#asRoot ? "--same-owner" : "--no-same-owner",
      "--xattrs",
      "--xattrs-include=*",
    ], this.#root);
    fs.unlinkSync(this.#spoolPath);
    this.#position = 0;
    this.#paths.clear();
    const lines = stderr.split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(PROGRAM_NAME, ""));
    const warnings = lines.filter((line) => ATTRIBUTE_WARNING.test(line));
    this.warnings.push(...warnings);
    if (isInterrupted(code)) {
      throw new LayerfsError("interrupted", "Cannot write special files: interrupted");
    }
    if (code !== 0) throw tarError(code, lines.filter((line) => !ATTRIBUTE_WARNING.test(line)));
    for (const [path, mode] of this.#modes) fs.chmodSync(`${this.#root}/${path}`, mode);
    this.#modes.clear();
  }

  /** Drops what waits. */
  close(): void {
    if (this.#fd !== null) fs.closeSync(this.#fd);
    this.#fd = null;
  }

  #placeholder(path: string): void {
    fs.closeSync(fs.openSync(`${this.#root}/${path}`, O_RDWR | O_CREAT | O_EXCL, 0o600));
    this.#paths.add(path);
  }

  #append(bytes: Uint8Array): void {
    this.#fd ??= fs.openSync(this.#spoolPath, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    writeAll(this.#fd, bytes, this.#position);
    this.#position += bytes.length;
  }
}

/** pwrite(2) until all is written. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

function tarError(code: number, lines: string[]): LayerfsError {
  const text = lines.slice(0, 3).join("; ") || `tar ended with status ${code}`;
  const action = "Cannot write special files";
  if (/No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/.test(text)) {
    return new LayerfsError("storage-full", `${action}: ${text}; free some space`);
  }
  if (/Operation not permitted|Permission denied/.test(text)) {
    return new LayerfsError("privilege-missing", `${action}: ${text}; run as root`);
  }
  return new LayerfsError("storage", `${action}: ${text}`);
}
