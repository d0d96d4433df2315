/**
 * Fingerprints of files: content, time, extended attributes, targets, numbers of devices. One tar(1) reads
 * them all, as it knows every kind of file, and names that Deno cannot say.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import fs from "node:fs";
import { decodeName, type RawNames } from "../core/raw_name.ts";
import { type TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { isInterrupted, runStreaming } from "../process.ts";
import { writeAll } from "./write_all.ts";

/**
 * Extended attributes that are of the machine or of overlayfs and not of the tree, as umoci has it.
 * tar compares the name as a whole, and "*" goes on over dots.
 */
const FOREIGN_XATTRS = [
  "trusted.overlay.*",
  "user.overlay.*",
  "security.selinux",
  "system.nfs4_acl",
] as const;

/** Options by which tar reads all extended attributes that are of the tree. */
export const XATTR_OPTIONS: readonly string[] = [
  "--xattrs",
  "--xattrs-include=*",
  ...FOREIGN_XATTRS.map((name) => `--xattrs-exclude=${name}`),
];

/** Options by which tar takes the names in a list, and nothing below them. */
export function listOptions(list: string): string[] {
  return ["--no-recursion", "--null", "--verbatim-files-from", `--files-from=${list}`];
}

/** Writes a list for {@linkcode listOptions}: a new file. @param paths as TreeView has them */
export function writeList(list: string, paths: readonly string[], names: RawNames): void {
  const fd = fs.openSync(list, "wx", 0o600);
  try {
    const parts: Uint8Array[] = [];
    for (const path of paths) {
      const bytes = decodeName(`./${path}`, names);
      if (bytes === undefined) throw new TypeError(`no name of ${JSON.stringify(path)}`);
      parts.push(bytes, new Uint8Array(1));
    }
    writeAll(fd, new Uint8Array(Buffer.concat(parts)), 0);
  } finally {
    fs.closeSync(fd);
  }
}

/** Which files to read, and how. */
export interface FingerprintOptions {
  /** Absolute path of a directory for the list of names. */
  readonly scratch: string;
  /** Ends the work. */
  readonly signal?: AbortSignal;
  /** Leaves times of modification out. */
  readonly ignoreTimes?: boolean;
}

/**
 * A text for each of `paths`, in their order: the same for two files that differ at most in name,
 * owner and mode.
 *
 * @param names what the tokens in `paths` stand for
 * @throws {LayerfsError} `conflict` where a file changes meanwhile, or is gone
 */
export async function fingerprints(
  root: string,
  paths: readonly string[],
  names: RawNames,
  { scratch, signal, ignoreTimes = false }: FingerprintOptions,
): Promise<string[]> {
  if (paths.length === 0) return [];
  const action = `Cannot read "${root}"`;
  const list = `${scratch}/fingerprints-${crypto.randomUUID()}`;
  writeList(list, paths, names);
  try {
    const found: string[] = [];
    let hash: Hash | null = null;
    const scanner = new TarScanner({ algorithm: null, engine: "native" });
    const visitor = {
      entry: (entry: TarEntry) => hash = begin(entry, ignoreTimes),
      data: (bytes: Uint8Array) => hash?.update(bytes), // tar leaves no holes here
      end: () => found.push(hash!.digest("base64")),
    };
    const args = ["--create", "--file=-", "--format=pax", "--hard-dereference", "--numeric-owner"];
    const result = await runStreaming(
      "tar",
      [...args, ...XATTR_OPTIONS, ...listOptions(list)],
      // deno-lint-ignore require-await -- what takes the pieces returns a promise
      async (bytes) => scanner.write(bytes, visitor),
      { cwd: root, signal },
    );
    scanner.end(visitor);
    checkRead(result.code, result.stderr, action);
    if (found.length === paths.length) return found;
    throw new LayerfsError("conflict", `${action}: files are gone that were there a moment ago`);
  } finally {
    fs.rmSync(list, { force: true });
  }
}

/** Begins a fingerprint by what is said of a file beside its content. */
function begin(entry: TarEntry, ignoreTimes: boolean): Hash {
  const { type, size, mtime, linkPath, linkBytes, major, minor, xattrs } = entry;
  const hash = createHash("sha256");
  const target = linkBytes === null ? linkPath : linkBytes.toHex();
  const { seconds, nanoseconds } = mtime;
  const times = ignoreTimes ? [] : [seconds, nanoseconds];
  const facts = [type, size, ...times, target, linkBytes !== null, major, minor];
  hash.update(JSON.stringify(facts));
  for (const [name, value] of [...xattrs ?? []].sort(([a], [b]) => a < b ? -1 : 1)) {
    hash.update(`\n${JSON.stringify(name)} ${value.length} `).update(value);
  }
  return hash;
}

/** tar says with status 1 that a directory of an overlay has changed, by sizes that differ. */
function checkRead(code: number, stderr: string, action: string): void {
  if (code === 0) return;
  if (isInterrupted(code)) throw new LayerfsError("interrupted", `${action}: interrupted`);
  const lines = stderr.split("\n").filter((line) => line !== "");
  if (code === 1 && lines.every((line) => /file changed as we read it$/.test(line))) return;
  const text = lines.slice(0, 3).join("; ") || `tar ended with status ${code}`;
  if (/Permission denied|Operation not permitted/.test(text)) {
    throw new LayerfsError("privilege-missing", `${action}: ${text}; run as root`);
  }
  const isGone = /Cannot (?:stat|open): No such file/.test(text);
  throw new LayerfsError(isGone ? "conflict" : "storage", `${action}: ${text}`);
}
