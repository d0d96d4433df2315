/**
 * Errors of the operating system, as errors of layerfs.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "./errors.ts";

/** The code, and what the user can do, of each errno name that a full or broken disk gives. */
const MEANINGS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["not-found", "no such file or directory"],
  EEXIST: ["conflict", "it exists already"],
  ENOTEMPTY: ["conflict", "the directory is not empty"],
  EBUSY: ["busy", "it is in use; unmount it or end the process that uses it"],
  EACCES: ["privilege-missing", "permission denied; run as root, or use files that you own"],
  EPERM: ["privilege-missing", "operation not permitted; run as root"],
  ENOSPC: ["storage-full", "no space left on the device; free some, or use another --store"],
  EDQUOT: ["storage-full", "the disk quota is used up; raise it, or use another --store"],
  EROFS: ["storage", "the filesystem is read-only"],
  EIO: ["storage", "the device reports an I/O error"],
  ENAMETOOLONG: ["image-invalid", "the name is longer than the filesystem allows"],
  EFBIG: ["storage", "the file is larger than the filesystem allows"],
};

/** Deno's error classes that carry no errno name, and the names they stand for. */
const CLASS_CODES: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  AlreadyExists: "EEXIST",
  PermissionDenied: "EACCES",
  NotADirectory: "ENOTDIR",
};

/** Errno names of numbers that Deno gives in its message alone (Linux, asm-generic/errno.h). */
const NUMBER_CODES: Readonly<Record<number, string>> = {
  5: "EIO",
  16: "EBUSY",
  28: "ENOSPC",
  30: "EROFS",
  107: "ENOTCONN",
  122: "EDQUOT",
};

/** The errno name of an error thrown by node:fs or by Deno, such as "ENOENT"; "" if it has none. */
export function errnoName(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  // node:fs in Deno knows no name for some, EDQUOT among them.
  if (code === "UNKNOWN" && typeof errno === "number") return NUMBER_CODES[-errno] ?? code;
  if (typeof code === "string") return code;
  const number = Number(/\(os error (\d+)\)/.exec(error.message)?.[1]);
  return NUMBER_CODES[number] ?? CLASS_CODES[error.name] ?? "";
}

/**
 * What `error`, thrown by a file system call, means for the user.
 *
 * @param action the failed action, such as `Cannot open "x"`: the message begins with it
 * @returns a LayerfsError; `error` itself where it is one already, or a denied Deno permission
 */
export function storageError(error: unknown, action: string): Error {
  if (error instanceof LayerfsError || error instanceof Deno.errors.NotCapable) return error;
  const name = errnoName(error);
  // No error of the system: a fault of ours, to be seen as it is.
  if (name === "" && (error instanceof TypeError || error instanceof RangeError)) return error;
  const meaning = MEANINGS[name];
  if (meaning !== undefined) {
    return new LayerfsError(meaning[0], `${action}: ${meaning[1]}`, {}, { cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new LayerfsError("storage", `${action}: ${text}`, {}, { cause: error });
}
