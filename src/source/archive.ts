/**
 * The members of a tar archive that is read in place: where each one's bytes are in the file, so
 * that nothing is unpacked and layers are read from where they lie.
 *
 * Only headers are read; the content between them is jumped over. Links are followed within the
 * archive and lead nowhere else.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { type TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import { MAX_ARCHIVE_MEMBERS, MAX_PAX_BYTES } from "../limits.ts";
import { storageError } from "../system_error.ts";
import { BLOCK_SIZE, paddedSize } from "../tar/ustar_block.ts";
import { fileFormat, formatAdvice } from "./file_format.ts";
import type { LayoutFiles } from "./layout_files.ts";

/** Links that one name may go through; docker's old archives have one. */
const MAX_LINKS = 40;

type Member =
  | { readonly kind: "file"; readonly offset: number; readonly length: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "other"; readonly what: string };

/** A tar archive whose members are found by name. */
export class Archive implements LayoutFiles {
  /** As the user named it. */
  readonly path: string;
  readonly #file: string;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #duplicates: ReadonlySet<string>;

  /**
   * @throws {LayerfsError} `not-found`; `image-invalid` for what is no tar archive; `unsupported`
   * for a compressed one, which has no places to read from
   */
  constructor(path: string) {
    this.path = path;
    const action = `Cannot open archive "${path}"`;
    try {
      // Symlinks of the path that the user named are the user's own choice.
      this.#file = Deno.realPathSync(path);
    } catch (error) {
      throw storageError(error, action);
    }
    const { file, size } = openRegularFile(this.#file);
    try {
      const format = fileFormat(file);
      // A place in a compressed file cannot be read without all that stands before it.
      if (format !== "tar") {
        throw new LayerfsError(
          format === "unknown" ? "image-invalid" : "unsupported",
          `${action}: ${formatAdvice(format, path)}`,
          { path },
        );
      }
      const { members, duplicates } = readMembers(file, size);
      this.#members = members;
      this.#duplicates = duplicates;
    } catch (error) {
      throw archiveError(error, action);
    } finally {
      file.close();
    }
  }

  /** Whether the archive has a member of this name, of any kind. */
  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Names of all members but directories. */
  names(): readonly string[] {
    const isFile = ([, member]: [string, Member]) =>
      member.kind !== "other" || member.what !== "directory";
    return [...this.#members].filter(isFile).map(([name]) => name);
  }

  locate(name: string): BlobLocation | null {
    let at = name;
    for (let links = 0; links <= MAX_LINKS; links++) {
      // Programs disagree which of two members counts (tar: the last, skopeo: the first), so an
      // image with two could be another one for whoever has checked it.
      if (this.#duplicates.has(at)) throw this.#wrong(name, `"${at}" is in it twice`);
      const member = this.#members.get(at);
      if (member === undefined) {
        if (at === name) return null;
        throw this.#wrong(name, `it is a link to "${at}", which is not in it`);
      }
      if (member.kind === "file") {
        return { path: this.#file, offset: member.offset, length: member.length };
      }
      if (member.kind === "other") throw this.#wrong(name, `"${at}" is a ${member.what}`);
      at = member.target;
    }
    throw this.#wrong(name, `it goes through more than ${MAX_LINKS} links`);
  }

  #wrong(name: string, state: string): LayerfsError {
    return new LayerfsError(
      "image-invalid",
      `Cannot read "${name}" in archive "${this.path}": ${state}`,
      { path: this.path, member: name },
    );
  }
}

/** An error of the scanner, which does not know the archive's name, with it. */
function archiveError(error: unknown, action: string): Error {
  if (!(error instanceof LayerfsError)) return storageError(error, action);
  if (error.message.startsWith(action)) return error;
  const state = error.message.replace(/^Cannot read /, "");
  return new LayerfsError(error.code, `${action}: ${state}`, error.data, { cause: error });
}

interface Members {
  readonly members: Map<string, Member>;
  /** Names that several members other than directories have. */
  readonly duplicates: Set<string>;
  /** Members met, those of one name each for itself. */
  count: number;
}

/**
 * Zero bytes after which the archive is certainly over: more than an extended header may have, the
 * only content that is not jumped over.
 */
const ZERO_TAIL = MAX_PAX_BYTES + 2 * BLOCK_SIZE;

/** Reads all headers, block by block, so that each entry's content starts where the next read is. */
function readMembers(file: Deno.FsFile, size: number): Members {
  const found: Members = { members: new Map(), duplicates: new Set(), count: 0 };
  const scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  let entry: TarEntry | null = null;
  const visitor = {
    entry(next: TarEntry) {
      entry = next;
    },
    data() {},
    end() {},
  };
  let zeros = 0;
  while (scanner.offset < size && zeros < ZERO_TAIL) {
    const block = scanner.window.subarray(0, Math.min(BLOCK_SIZE, size - scanner.offset));
    const read = readAt(file, block, scanner.offset);
    if (read === 0) break;
    zeros = block.every((byte) => byte === 0) ? zeros + read : 0;
    scanner.feed(read, visitor);
    if (entry !== null) addMember(found, entry, scanner, size);
    entry = null;
    scanner.skip(scanner.skippable());
  }
  scanner.end(visitor);
  return found;
}

/** Adds an entry whose content, if it has any, comes next. */
function addMember(found: Members, entry: TarEntry, scanner: TarScanner, size: number): void {
  const { members, duplicates } = found;
  const { path } = entry;
  if (++found.count > MAX_ARCHIVE_MEMBERS) {
    throw new LayerfsError("image-invalid", `it has more than ${MAX_ARCHIVE_MEMBERS} members`);
  }
  const before = members.get(path);
  const member = memberOf(entry, scanner, size);
  const directories = entry.type === "directory" && before?.kind === "other" &&
    before.what === "directory";
  if (before !== undefined && !directories) duplicates.add(path);
  members.set(path, member);
}

function memberOf(entry: TarEntry, scanner: TarScanner, size: number): Member {
  const { type, path, linkPath } = entry;
  if (type === "hardlink") return { kind: "link", target: linkPath };
  if (type === "symlink") {
    const target = resolveLink(path, linkPath);
    if (target !== null) return { kind: "link", target };
    return { kind: "other", what: `link out of the archive, to "${linkPath}"` };
  }
  if (type !== "file") return { kind: "other", what: type };
  const offset = scanner.offset;
  const blocks = paddedSize(entry.size);
  // The bytes of a sparse file are not one range of the archive.
  if (scanner.skippable() !== blocks) return { kind: "other", what: "sparse file" };
  if (offset + entry.size > size) {
    throw new LayerfsError("image-invalid", `it ends within the content of "${path}"`, {
      entry: path,
    });
  }
  return { kind: "file", offset, length: entry.size };
}

/** The member that a symlink names, by text alone; null where that is outside of the archive. */
function resolveLink(path: string, target: string): string | null {
  const parts = target.startsWith("/") ? [] : path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}
