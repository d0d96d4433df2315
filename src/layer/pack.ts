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
import { isInterrupted, runStreaming } from "../process.ts";
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
  const file = PackedFile.create(path, options);
  try {
    const scanner = new TarScanner({ algorithm: options.algorithm, engine: options.engine });
    let entries = 0;
    const visitor = {
      entry(entry: TarEntry) {
        checkName(entry);
        checkOwner(entry);
        entries++;
      },
      data() {},
      end() {},
    };
    const args = tarArguments(options);
    const result = await runStreaming("tar", args, async (bytes) => {
      try {
        scanner.write(bytes, visitor);
      } catch (error) {
        throw within(error, action);
      }
      await file.write(bytes);
    }, { cwd: root, signal: options.signal });
    const warnings = checkTar(result.code, result.stderr, action);
    scanner.end(visitor);
    const uncompressed = scanner.offset;
    return { ...await file.finish(), diffId: scanner.digest(), uncompressed, entries, warnings };
  } catch (error) {
    file.discard();
    throw storageError(error, action);
  }
}

function tarArguments({ latest }: PackOptions): string[] {
  return [
    "--create",
    "--file=-",
    "--format=pax",
    // Without these, two runs differ: tar's own process id, and times of reading.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--sort=name",
    "--numeric-owner",
    // An ordinary user's own files are root's in his user namespace, and as his images have them.
    ...(Deno.uid() === 0 ? [] : ["--owner=0", "--group=0"]),
    ...XATTR_OPTIONS,
    ...(latest === undefined ? [] : [`--mtime=@${latest}`, "--clamp-mtime"]),
    "--",
    ".",
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

/** The warnings in what tar said; throws where it failed. */
function checkTar(code: number, stderr: string, action: string): string[] {
  if (isInterrupted(code)) throw new LayerfsError("interrupted", `${action}: interrupted`);
  const lines = stderr.split("\n").filter((line) => line !== "")
    .map((line) => line.replace(TAR_SAYS, ""));
  if (code === 0) return lines.map(printable);
  const others = lines.filter((line) => !SOCKET.test(line));
  const text = others.slice(0, 3).join("; ") || `tar ended with status ${code}`;
  throw new LayerfsError(errorCode(code, text), `${action}: ${text}`);
}

/** tar's status is 1 where it could read everything, but something was not the same at the end. */
function errorCode(code: number, text: string): ErrorCode {
  if (/Permission denied|Operation not permitted/.test(text)) return "privilege-missing";
  return code === 1 ? "conflict" : "storage";
}
