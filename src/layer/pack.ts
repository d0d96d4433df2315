/**
 * Packs a tree into one layer: a tar of all of it, by one `tar` child, which is digested and
 * compressed on its way to a file.
 *
 * The same tree gives the same tar: names in order of their bytes, owners as numbers, no times but
 * those of modification. Names that are not UTF-8 stay as they are, as tar writes bytes.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import { type TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { type ErrorCode, LayerfsError, printable, within } from "../errors.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { isInterrupted, type RunResult, runStreaming } from "../process.ts";
import { storageError } from "../system_error.ts";
import { ROOTLESS_XATTR } from "./rootless.ts";
import { XATTR_OPTIONS } from "./fingerprints.ts";
import { PackedFile } from "./packed_file.ts";

/** How a tree is packed. */
export interface PackOptions {
  /** Of the layer's digest and diffID. */
  readonly algorithm: DigestAlgorithm;
  /** Who computes the digests. */
  readonly engine: DigestEngine;
  /** 1 (fast) to 9 (small) for gzip; 0 leaves the tar as it is. */
  readonly level: number;
  /** Seconds since 1970: later times of modification become this (SOURCE_DATE_EPOCH). */
  readonly latest?: number;
  /** Ends the work. */
  readonly signal?: AbortSignal;
}

/** A layer that was packed. */
export interface PackedLayer {
  /** Of the file. */
  readonly digest: Digest;
  /** Bytes of the file. */
  readonly size: number;
  /** Of the tar. */
  readonly diffId: Digest;
  /** Bytes of the tar. */
  readonly uncompressed: number;
  /** Files, directories and so on that it has. */
  readonly entries: number;
  /** What was left out, for people to read. */
  readonly warnings: readonly string[];
}

/** Two blocks of zeros end an archive. */
const END_BYTES = 1024;

/** How tar begins a message: with its name, which Deno may have turned into a path. */
const TAR_SAYS = /^(?:\/\S*\/)?tar: /;

/** What it says of sockets, which no layer can have, and goes on. */
const SOCKET = /: socket ignored$/;

/**
 * Packs all that is in the directory `root`, its own attributes included, into the new file `path`.
 * Only root gets all of it: other people's files, devices, all extended attributes.
 *
 * @param root absolute; nobody may change it meanwhile
 * @param path absolute; removed again where this fails
 * @throws {LayerfsError} `unsupported` for a name that begins with ".wh.", which in a layer means a
 * removal; `conflict` where the tree changed; `privilege-missing`, `storage-full`, `storage`,
 * `interrupted`, `program-missing`
 */
export async function packTree(
  root: string,
  path: string,
  options: PackOptions,
): Promise<PackedLayer> {
  const action = `Cannot pack "${root}"`;
  const names = ["--sort=name", "--", "."];
  return await packMembers(
    { root, names, before: null, after: null, action, mayChange: false },
    path,
    options,
  );
}

/** What goes into a layer. */
export interface Members {
  /** Absolute path of the directory that tar runs in. */
  readonly root: string;
  /** Arguments of tar that say which files it packs. */
  readonly names: readonly string[];
  /** Whole entries that come before those of tar; null for none. */
  readonly before: Uint8Array | null;
  /** Whole entries that come behind them, with an end of archive; null for none. */
  readonly after: Uint8Array | null;
  /** Begins the message of an error. */
  readonly action: string;
  /** Whether the caller finds out himself what was written to meanwhile. */
  readonly mayChange: boolean;
}

/** Packs some files of a tree, and entries that no file stands for, as {@linkcode packTree} does. */
export async function packMembers(
  { root, names, before, after, action, mayChange }: Members,
  path: string,
  options: PackOptions,
): Promise<PackedLayer> {
  const file = PackedFile.create(path, options);
  try {
    const scanner = new TarScanner({ algorithm: options.algorithm, engine: options.engine });
    let entries = 0;
    let isOurs = true;
    const visitor = {
      entry(entry: TarEntry) {
        if (!isOurs) checkName(entry);
        checkOwner(entry);
        entries++;
      },
      data() {},
      end() {},
    };
    const write = async (bytes: Uint8Array) => {
      try {
        scanner.write(bytes, visitor);
      } catch (error) {
        throw within(error, action);
      }
      await file.write(bytes);
    };
    if (before !== null) await write(before);
    isOurs = false;
    const trimmed = after === null ? null : new Trimmed(write);
    const take = trimmed === null ? write : (bytes: Uint8Array) => trimmed.write(bytes);
    const args = [...tarArguments(options), ...names];
    const how = { cwd: root, signal: options.signal };
    const result = await runStreaming("tar", args, take, how);
    const warnings = checkTar(result, mayChange, action);
    isOurs = true;
    if (after !== null) await write(after);
    scanner.end(visitor);
    const uncompressed = scanner.offset;
    return { ...await file.finish(), diffId: scanner.digest(), uncompressed, entries, warnings };
  } catch (error) {
    file.discard();
    throw storageError(error, action);
  }
}

/** Passes a tar stream on without its end: the two blocks of zeros that something is to come before. */
class Trimmed {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #held = new Uint8Array();

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    const end = Math.max(all.length - END_BYTES, 0);
    this.#held = all.slice(end);
    if (end > 0) await this.#write(all.subarray(0, end));
  }
}

function tarArguments({ latest }: PackOptions): string[] {
  return [
    "--create",
    "--file=-",
    "--blocking-factor=1", // no more zeros at the end than the format asks for
    "--format=pax",
    // Without these, two runs differ: tar's own process id, and times of reading.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--numeric-owner",
    // An ordinary user's own files are root's in his user namespace, and as his images have them.
    ...(Deno.uid() === 0 ? [] : ["--owner=0", "--group=0"]),
    ...XATTR_OPTIONS,
    ...(latest === undefined ? [] : [`--mtime=@${latest}`, "--clamp-mtime"]),
  ];
}

/** An ordinary user's files have other owners on record only, which tar cannot write for them. */
function checkOwner({ path, xattrs }: TarEntry): void {
  if (Deno.uid() === 0 || !xattrs?.has(ROOTLESS_XATTR)) return;
  throw new LayerfsError(
    "privilege-missing",
    `"${path}" belongs to another user on record; run as root to keep that owner`,
    { path },
  );
}

function checkName({ path, whiteout }: TarEntry): void {
  if (whiteout === "none") return;
  throw new LayerfsError(
    "unsupported",
    `"${path}" has a name that begins with ".wh.", which in a layer means that something is ` +
      "removed; rename it",
    { path },
  );
}

/** What tar says of a file that was written to, and of any directory of an overlay. */
const CHANGED = /: file changed as we read it$/;

/** The warnings in what tar said; throws where it failed. */
function checkTar({ code, stderr }: RunResult, mayChange: boolean, action: string): string[] {
  if (isInterrupted(code)) throw new LayerfsError("interrupted", `${action}: interrupted`);
  const lines = stderr.split("\n").filter((line) => line !== "")
    .map((line) => line.replace(TAR_SAYS, ""));
  if (code === 0) return lines.map(printable);
  const others = lines.filter((line) => !SOCKET.test(line));
  if (code === 1 && mayChange && others.every((line) => CHANGED.test(line))) return [];
  const text = others.slice(0, 3).join("; ") || `tar ended with status ${code}`;
  throw new LayerfsError(errorCode(code, text), `${action}: ${text}`);
}

/** tar's status is 1 where it could read everything, but something was not the same at the end. */
function errorCode(code: number, text: string): ErrorCode {
  if (/Permission denied|Operation not permitted/.test(text)) return "privilege-missing";
  return code === 1 || /Cannot (?:stat|open): No such file/.test(text) ? "conflict" : "storage";
}
