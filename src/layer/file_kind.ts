/**
 * What a file is.
 *
 * @module
 */

import fs from "node:fs";
import { nullIfAbsent } from "../files.ts";

/** The kinds of files that there are. */
export type FileKind =
  | "file"
  | "directory"
  | "symlink"
  | "character"
  | "block"
  | "fifo"
  | "socket";

/** The kind that lstat(2) tells. */
export function kindOf(stat: fs.Stats | fs.BigIntStats): FileKind {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character";
  if (stat.isBlockDevice()) return "block";
  return stat.isFIFO() ? "fifo" : "socket";
}

/** lstat(2), or null where nothing is there. For the threads and the walks that have node:fs anyway. */
export function statsOrNull(absolute: string): fs.Stats | null {
  return nullIfAbsent(absolute, (path) => fs.lstatSync(path));
}
