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
import type { Attributes } from "./attributes.ts";
import { asciiField, findRecords, parseFindTime } from "./find_output.ts";

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

/** What a tree says of itself: all that one which begins with a copy of it would have to read. */
export interface ToldTree extends LowerTree {
  /** Whether a directory of it may have extended attributes, and a default access control list. */
  readonly haveXattrs: boolean;
  readonly mayGiveAcls: boolean;
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
  for (
    const [type, mode, uid, gid, time, pathBytes, target] of findRecords(
      result.bytes,
      FIELDS,
    ) as Generator<Fields>
  ) {
    const path = encodeName(pathBytes, names);
    if (path.startsWith(TOKEN_MARK, path.lastIndexOf("/") + 1)) rawFiles.push(path);
    if (asciiField(type) === "d") {
      const attributes = {
        mode: parseInt(asciiField(mode), 8),
        uid: Number(asciiField(uid)),
        gid: Number(asciiField(gid)),
        mtime: parseFindTime(asciiField(time)),
        xattrs: null,
      };
      directories.set(path, attributes);
      if (options.open && (attributes.mode & 0o700) !== 0o700) opened.push(path);
    } else if (asciiField(type) === "l" && hasRawName(encodeName(target, new Map()))) {
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
