/**
 * Where the bytes of a blob are: a range of a regular file. A location can be sent to a worker,
 * which opens the file itself.
 *
 * @module
 */

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

/**
 * Opens `path` for reading, if it is a regular file. A symlink could name any file of the host, a
 * FIFO or a device could block for ever: all are refused.
 *
 * Deno opens without O_NOFOLLOW, and that would not do: unless it runs with --allow-all, Deno
 * resolves the symlinks of a path before it opens it (measured, 2.9.6). So what was opened must be
 * what lstat(2) has seen. A FIFO that somebody puts there between the two makes it wait for a writer,
 * whom Ctrl-C does not replace.
 *
 * @returns the file, which the caller closes, and its size in bytes
 * @throws {LayerfsError} `not-found`, or `image-invalid` where the path is not a regular file
 */
export function openRegularFile(path: string): { file: Deno.FsFile; size: number } {
  const action = `Cannot open "${path}"`;
  let seen: Deno.FileInfo;
  let file: Deno.FsFile;
  try {
    seen = Deno.lstatSync(path);
    if (!seen.isFile) throw notRegular(path, kindOf(seen));
    file = Deno.openSync(path);
  } catch (error) {
    if (errnoName(error) === "ELOOP") throw notRegular(path, "a symbolic link");
    throw storageError(error, action);
  }
  const opened = file.statSync();
  if (opened.dev === seen.dev && opened.ino === seen.ino) return { file, size: opened.size };
  file.close();
  throw new LayerfsError("conflict", `${action}: it was replaced while it was being opened`);
}

function kindOf(stat: Deno.FileInfo): string {
  if (stat.isSymlink) return "a symbolic link";
  if (stat.isDirectory) return "a directory";
  return stat.isSocket ? "a socket" : "a FIFO or a device";
}

function notRegular(path: string, what: string): LayerfsError {
  return new LayerfsError("image-invalid", `Cannot read "${path}": it is ${what}, not a file`, {
    path,
  });
}
