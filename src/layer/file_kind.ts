/**
 * What a file is.
 *
 * @module
 */

import type fs from "node:fs";

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
