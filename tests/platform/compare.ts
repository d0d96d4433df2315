/**
 * Compares two directory trees in everything that a layer can say about a file, by the system's
 * own tools (GNU find, sha256sum, getfattr) and by no line of the project.
 *
 * Names are bytes: they are kept here as strings of one character a byte (latin1).
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** What is compared; the values are those of `find -printf`, `sha256sum` and `getfattr`. */
export interface Entry {
  /** f, d, l, p, c, b, s as `find -printf %y` prints them. */
  type: string;
  /** Octal, setuid, setgid and sticky bits included. */
  mode: string;
  /** "uid:gid", in numbers. */
  owner: string;
  /** Bytes of a regular file, else "". */
  size: string;
  /** Seconds with nanoseconds, as `%T@`. */
  mtime: string;
  /** Target of a symbolic link, else "". */
  target: string;
  /** Name, first in byte order, of the files that share the inode; directories have none. */
  links: string;
  /** "major:minor" in hexadecimal of a device, else "". */
  device: string;
  /** SHA-256 of a regular file, else "". */
  content: string;
  /** `name=0xhex` of each extended attribute, sorted, with newlines between. */
  xattrs: string;
}

/** One name of {@linkcode Entry}. */
export type Field = keyof Entry;

/** Entries by their path from the root, "" for the root itself. */
export type Tree = Map<string, Entry>;

/** Writes each part of the description of the tree in its working directory to one stream. */
const PROGRAMS = {
  entries: String.raw`find . -printf '%P\0%y\0%m\0%U:%G\0%s\0%T@\0%l\0%D:%i\0'`,
  devices: String.raw`find . \( -type b -o -type c \) -exec stat --printf '%n\0%t:%T\0' {} +`,
  contents: `find . -type f -print0 | xargs -0 --no-run-if-empty sha256sum --zero`,
  xattrs: `getfattr --recursive --physical --no-dereference --dump --match=- --encoding=hex .`,
} as const;

/** Runs one of {@linkcode PROGRAMS} in `root`. */
async function describe(root: string, what: keyof typeof PROGRAMS): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-o", "pipefail", "-c", PROGRAMS[what]],
    cwd: root,
    env: { LC_ALL: "C" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`${what} of ${root}: ${new TextDecoder().decode(stderr)}`);
  return Buffer.from(stdout).toString("latin1");
}

/** The path without "./" that a program has put before it; "." is the root, "". */
function relative(path: string): string {
  return path === "." ? "" : path.startsWith("./") ? path.slice(2) : path;
}

/** `getfattr` writes a byte of a name that could be mistaken as a backslash and three digits. */
function unescapeName(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}

/** Puts what `getfattr --dump` says into the entries that it names. */
function addXattrs(tree: Tree, dump: string): void {
  for (const block of dump.split("\n\n")) {
    const [head, ...attributes] = block.trim().split("\n");
    if (!head?.startsWith("# file: ")) continue;
    const path = relative(unescapeName(head.slice("# file: ".length)));
    entryOf(tree, path).xattrs = attributes.sort().join("\n");
  }
}

/** The entry at `path`, which must be there. */
function entryOf(tree: Tree, path: string): Entry {
  const entry = tree.get(path);
  if (entry === undefined) throw new Error(`no entry ${JSON.stringify(path)} in the tree`);
  return entry;
}

/** Reads the whole tree below `root`, which must not change in the meantime. */
export async function readTree(root: string): Promise<Tree> {
  const [entries, devices, contents, xattrs] = await Promise.all([
    describe(root, "entries"),
    describe(root, "devices"),
    describe(root, "contents"),
    describe(root, "xattrs"),
  ]);
  const tree: Tree = new Map();
  const inodes = new Map<string, { first: string; paths: string[] }>();
  const fields = entries.split("\0");
  for (let i = 0; i + 8 < fields.length; i += 8) {
    const [path, type, mode, owner, size, mtime, target, inode] = fields.slice(i, i + 8) as [
      ...[string, string, string, string, string, string, string, string],
    ];
    const isFile = type === "f";
    const blank = { links: "", device: "", content: "", xattrs: "" };
    tree.set(path, { type, mode, owner, size: isFile ? size : "", mtime, target, ...blank });
    if (type === "d") continue;
    const group = inodes.get(inode) ?? { first: path, paths: [] };
    group.paths.push(path);
    if (path < group.first) group.first = path;
    inodes.set(inode, group);
  }
  for (const { first, paths } of inodes.values()) {
    for (const path of paths) entryOf(tree, path).links = first;
  }
  const numbers = devices.split("\0");
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    entryOf(tree, relative(numbers[i] ?? "")).device = numbers[i + 1] ?? "";
  }
  for (const line of contents.split("\0")) {
    if (line !== "") entryOf(tree, relative(line.slice(66))).content = line.slice(0, 64);
  }
  addXattrs(tree, xattrs);
  return tree;
}

/** How {@linkcode differences} compares. */
export interface CompareOptions {
  /** Fields that are not looked at. */
  ignore?: readonly Field[];
  /** Says of an entry of the first tree whether it is looked at. */
  only?: (path: string, entry: Entry) => boolean;
}

/** One line for each difference, in the order of paths; none when the trees are equal. */
export function differences(actual: Tree, expected: Tree, options: CompareOptions = {}): string[] {
  const lines: string[] = [];
  const only = options.only ?? (() => true);
  for (const path of [...new Set([...actual.keys(), ...expected.keys()])].sort()) {
    const [a, b] = [actual.get(path), expected.get(path)];
    const name = JSON.stringify(path);
    if (a === undefined || b === undefined) {
      const lone = a ?? b;
      if (lone !== undefined && only(path, lone)) {
        lines.push(`${name}: ${a === undefined ? "missing" : "unexpected"}, type ${lone.type}`);
      }
      continue;
    }
    if (!only(path, a)) continue;
    for (const field of Object.keys(b) as Field[]) {
      if (a[field] === b[field] || options.ignore?.includes(field)) continue;
      lines.push(
        `${name}: ${field} is ${JSON.stringify(a[field])}, not ${JSON.stringify(b[field])}`,
      );
    }
  }
  return lines;
}
