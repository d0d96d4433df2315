/**
 * Where the bytes of a blob are: a range of a regular file. A location can be sent to a worker,
 * which opens the file itself.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";

/** A byte range of a regular file. */
export interface BlobLocation {
  /** Path of the file, absolute or relative to the working directory. */
  readonly path: string;
  /** First byte, counted from 0. */
  readonly offset: number;
  /** Bytes from there. */
  readonly length: number;
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/**
 * Opens `path` for reading, if it is a regular file. A symlink could name any file of the host, a
 * FIFO or a device could block for ever: all are refused, and opening does not wait for a writer.
 *
 * O_NOFOLLOW alone does not do: unless it runs with --allow-all, Deno resolves the symlinks of a
 * path before it opens it (measured, 2.9.6). So what was opened must be what lstat(2) has seen.
 *
 * @returns the file descriptor and the size of the file in bytes; the caller closes it
 * @throws {LayerfsError} `not-found`, or `image-invalid` where the path is not a regular file
 */
export function openRegularFile(path: string): { fd: number; size: number } {
  const action = `Cannot open "${path}"`;
  let seen: fs.Stats;
  let fd: number;
  try {
    seen = fs.lstatSync(path);
    if (!seen.isFile()) throw notRegular(path, kindOf(seen));
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errnoName(error) === "ELOOP") throw notRegular(path, "a symbolic link");
    throw storageError(error, action);
  }
  const opened = fs.fstatSync(fd);
  if (opened.dev === seen.dev && opened.ino === seen.ino) return { fd, size: opened.size };
  fs.closeSync(fd);
  throw new LayerfsError("conflict", `${action}: it was replaced while it was being opened`);
}

function kindOf(stat: fs.Stats): string {
  if (stat.isSymbolicLink()) return "a symbolic link";
  if (stat.isDirectory()) return "a directory";
  return stat.isSocket() ? "a socket" : "a FIFO or a device";
}

function notRegular(path: string, what: string): LayerfsError {
  return new LayerfsError("image-invalid", `Cannot read "${path}": it is ${what}, not a file`, {
    path,
  });
}
