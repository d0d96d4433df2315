/**
 * What is in a tree, looked up file by file, without following a symlink.
 *
 * Deno's own calls do it, but where names are not UTF-8, which Deno shows with U+FFFD in them: the
 * directories around those are read by find(1). In paths, tokens stand for such names (see
 * core/raw_name.ts).
 *
 * @module
 */

import fs from "node:fs";
import { encodeName, hasRawName, type RawNames, TOKEN_MARK } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { check, isInterrupted, runSync } from "../process.ts";
import { errnoName, storageError } from "../system_error.ts";
import { type FileKind, kindOf } from "./file_kind.ts";
import { asciiField, findRecords, parseFindTime } from "./find_output.ts";
import { absolutePath, joinRelative, nameOf, parentOf } from "./root_path.ts";

/** What lstat(2) says of a file; no numbers of devices, no targets. */
export interface SeenFile {
  readonly kind: FileKind;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: bigint;
  /** Nanoseconds since 1970. Deno tells whole milliseconds only (measured, 2.9.6), find all. */
  readonly mtime: bigint;
  /** The same; Deno tells whole seconds only. */
  readonly ctime: bigint;
  /** Device number of its filesystem. */
  readonly device: bigint;
  readonly inode: bigint;
  /** How many names it has. */
  readonly links: number;
}

/** One file of find's output, each field with a NUL behind it. */
const FORMAT = "%y\\0%m\\0%U\\0%G\\0%s\\0%T@\\0%C@\\0%D\\0%i\\0%n\\0%P\\0";
const FIELDS = 11;

/** find's letters for kinds. */
const KINDS: Readonly<Record<string, FileKind>> = {
  f: "file",
  d: "directory",
  l: "symlink",
  c: "character",
  b: "block",
  p: "fifo",
  s: "socket",
};

/** What Deno puts in the place of bytes that are not UTF-8. A name may have it by itself, too. */
const REPLACEMENT = "\u{fffd}";

const NANOSECONDS = 1_000_000_000n;

/** A tree that nobody changes while it is looked at: what was seen is not looked up again. */
export class TreeView {
  /** Absolute path. */
  readonly root: string;
  /** What the tokens in paths stand for; grows as names are seen. */
  readonly names: RawNames;
  readonly #seen = new Map<string, SeenFile | null>();
  /** Names of the children of directories, in no order. */
  readonly #children = new Map<string, string[]>();
  /** Directories that find has read with all below them. */
  readonly #read = new Set<string>();

  /** @param names may be shared with views of other trees */
  constructor(root: string, names: RawNames) {
    this.root = root;
    this.names = names;
  }

  /** What is at `path`; null where nothing is, or a parent is no directory. */
  stat(path: string): SeenFile | null {
    const known = this.#seen.get(path);
    if (known !== undefined) return known;
    const isInTree = path === "" || this.stat(parentOf(path))?.kind === "directory";
    let seen: SeenFile | null = null;
    if (isInTree) {
      const name = nameOf(path);
      if (name.startsWith(TOKEN_MARK)) this.#readAll(parentOf(path));
      // To look at the parent may have read all that is in it.
      if (this.#isRead(path)) seen = this.#seen.get(path) ?? null;
      else seen = lookUp(absolutePath(this.root, path));
    }
    this.#seen.set(path, seen);
    return seen;
  }

  /** Names in the directory `path`; none where it is no directory. */
  children(path: string): readonly string[] {
    const known = this.#children.get(path);
    if (known !== undefined) return known;
    if (this.stat(path)?.kind !== "directory") return [];
    if (!this.#isRead(path) && !hasRawName(path)) {
      const names = list(absolutePath(this.root, path));
      const isPlain = (name: string) => !name.includes(REPLACEMENT) && !hasRawName(name);
      if (names.every(isPlain)) {
        this.#children.set(path, names);
        return names;
      }
    }
    this.#readAll(path);
    return this.#children.get(path) ?? [];
  }

  /** Paths of all that is below the directory `path`, parents first. */
  *below(path: string): Generator<string> {
    for (const name of this.children(path)) {
      const child = joinRelative(path, name);
      yield child;
      if (this.stat(child)?.kind === "directory") yield* this.below(child);
    }
  }

  /** Reads all of the tree in one go, for those who will look at all of it. */
  readWhole(): void {
    this.#readAll("");
  }

  /** Names of each file that has several, but for directories; a walk through the tree. */
  linkGroups(): string[][] {
    this.#readAll("");
    const groups = new Map<string, string[]>();
    for (const [path, file] of this.#seen) {
      if (file === null || file.kind === "directory" || file.links < 2) continue;
      const inode = `${file.device}:${file.inode}`;
      const group = groups.get(inode);
      if (group === undefined) groups.set(inode, [path]);
      else group.push(path);
    }
    return [...groups.values()];
  }

  /** Whether find has read what is around `path`. */
  #isRead(path: string): boolean {
    if (this.#read.size === 0) return false;
    for (let directory = path; directory !== ""; directory = parentOf(directory)) {
      if (this.#read.has(directory)) return true;
    }
    return this.#read.has("");
  }

  /** Reads all at and below the directory `path` by find; above it where its name is raw. */
  #readAll(path: string): void {
    let directory = path;
    while (hasRawName(directory)) directory = parentOf(directory);
    if (this.#isRead(directory)) return;
    const action = `Cannot read "${absolutePath(this.root, directory)}"`;
    const start = absolutePath(this.root, directory);
    const result = runSync("find", [start, "-printf", FORMAT]);
    if (isInterrupted(result.code)) throw new LayerfsError("interrupted", `${action}: interrupted`);
    check(result, action, "storage");
    for (const [below, file] of records(result.bytes, this.names)) {
      const name = joinRelative(directory, below);
      this.#seen.set(below === "" ? directory : name, file);
      if (file.kind === "directory") this.#children.set(below === "" ? directory : name, []);
      if (below === "") continue;
      this.#children.get(parentOf(name))?.push(nameOf(name));
    }
    this.#read.add(directory);
  }
}

function lookUp(absolute: string): SeenFile | null {
  try {
    const stat = fs.lstatSync(absolute, { bigint: true });
    return {
      kind: kindOf(stat),
      mode: Number(stat.mode & 0o7777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: stat.size,
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
      device: stat.dev,
      inode: stat.ino,
      links: Number(stat.nlink),
    };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoName(error))) return null;
    throw storageError(error, `Cannot look up "${absolute}"`);
  }
}

function list(absolute: string): string[] {
  try {
    return fs.readdirSync(absolute);
  } catch (error) {
    throw storageError(error, `Cannot list "${absolute}"`);
  }
}

/** Path below the start, and what is there; a directory comes before what is in it. */
function* records(bytes: Uint8Array, names: RawNames): Generator<[string, SeenFile]> {
  for (const fields of findRecords(bytes, FIELDS)) {
    const path = encodeName(fields.pop()!, names);
    const [kind, mode, uid, gid, size, mtime, ctime, device, inode, links] = fields.map(
      asciiField,
    ) as [string, string, string, string, string, string, string, string, string, string];
    yield [path, {
      kind: KINDS[kind] ?? "file",
      mode: parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
      size: BigInt(size),
      mtime: nanoseconds(mtime),
      ctime: nanoseconds(ctime),
      device: BigInt(device),
      inode: BigInt(inode),
      links: Number(links),
    }];
  }
}

/** A time as find prints it, in nanoseconds since 1970. */
function nanoseconds(printed: string): bigint {
  const { seconds, nanoseconds } = parseFindTime(printed);
  return BigInt(seconds) * NANOSECONDS + BigInt(nanoseconds);
}
