/**
 * What the layers below have left in a tree, where Deno's own calls do not do: exact times, names and
 * link targets that are not UTF-8, directories that their owner cannot enter.
 *
 * One find(1) child reads all of it.
 *
 * @module
 */

import { encodeName, hasRawName, type RawNames, TOKEN_MARK } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { check, isInterrupted, runSync } from "../process.ts";
import type { Attributes, Timestamp } from "./attributes.ts";

/** A tree that holds layers. Paths are relative to its root; tokens stand for raw names. */
export interface LowerTree {
  /** All directories as they were, without xattrs. */
  readonly directories: ReadonlyMap<string, Attributes>;
  /** Directories that were closed to their owner, and have been opened. */
  readonly opened: readonly string[];
  /** Files whose own name is a token, which they do not bear yet; parents before children. */
  readonly rawFiles: readonly string[];
  /** Targets of symlinks that {@linkcode encodeName} puts tokens into. */
  readonly rawTargets: ReadonlyMap<string, Uint8Array>;
  /** What the tokens stand for. */
  readonly names: RawNames;
}

/** What {@linkcode readLowerTree} is to do beside reading directories. */
export interface LowerTreeOptions {
  /** Look for names and link targets that are not UTF-8. */
  readonly rawNames: boolean;
  /** Give an ordinary user every permission on his directories. */
  readonly open: boolean;
}

/** One file of find's output: its %y, %m, %U, %G, %T@, %P and %l, each with a NUL behind it. */
const FORMAT = "%y\\0%m\\0%U\\0%G\\0%T@\\0%P\\0%l\\0";
const FIELDS = 7;

/** A directory that its owner cannot use, opened before find enters it. */
const OPEN = ["-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"];

/** Reads the tree below `root`, its root directory included. */
export function readLowerTree(root: string, options: LowerTreeOptions): LowerTree {
  const only = options.rawNames ? [] : ["-type", "d"];
  const open = options.open ? OPEN : [];
  const result = runSync("find", [root, ...only, "-printf", FORMAT, ...open]);
  if (isInterrupted(result.code)) {
    throw new LayerfsError("interrupted", "Cannot read the layers below: interrupted");
  }
  check(result, `Cannot read the layers below in "${root}"`, "storage");
  const names: RawNames = new Map();
  const directories = new Map<string, Attributes>();
  const opened: string[] = [];
  const rawFiles: string[] = [];
  const rawTargets = new Map<string, Uint8Array>();
  for (const [type, mode, uid, gid, time, pathBytes, target] of records(result.bytes)) {
    const path = encodeName(pathBytes, names);
    if (path.startsWith(TOKEN_MARK, path.lastIndexOf("/") + 1)) rawFiles.push(path);
    if (text(type) === "d") {
      const attributes = {
        mode: parseInt(text(mode), 8),
        uid: Number(text(uid)),
        gid: Number(text(gid)),
        mtime: timestamp(text(time)),
        xattrs: null,
      };
      directories.set(path, attributes);
      if (options.open && (attributes.mode & 0o700) !== 0o700) opened.push(path);
    } else if (text(type) === "l" && hasRawName(encodeName(target, new Map()))) {
      rawTargets.set(path, target);
    }
  }
  return { directories, opened, rawFiles, rawTargets, names };
}

type Fields = [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

function* records(bytes: Uint8Array): Generator<Fields> {
  for (let start = 0; start < bytes.length;) {
    const fields: Uint8Array[] = [];
    for (let i = 0; i < FIELDS; i++) {
      const end = bytes.indexOf(0, start);
      fields.push(bytes.subarray(start, end));
      start = end + 1;
    }
    yield fields as Fields;
  }
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** `-1.5000000000` is half a second before 1970: find's fraction is never negative. */
function timestamp(printed: string): Timestamp {
  const [seconds = "", fraction = ""] = printed.split(".");
  return { seconds: Number(seconds), nanoseconds: Number(fraction.slice(0, 9).padEnd(9, "0")) };
}
