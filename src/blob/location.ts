/**
 * Where the bytes of a blob are: a range of a regular file. A location can be sent to a worker,
 * which opens the file itself.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { storageError } from "../system_error.ts";

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
 * @returns the file descriptor and the size of the file in bytes; the caller closes it
 * @throws {LayerfsError} `not-found`, or `image-invalid` where the path is not a regular file
 */
export function openRegularFile(path: string): { fd: number; size: number } {
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === "ELOOP") throw notRegular(path, "a symbolic link");
    if (code === "ENXIO") throw notRegular(path, "a socket");
    throw storageError(error, `Cannot open "${path}"`);
  }
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return { fd, size: stat.size };
  fs.closeSync(fd);
  throw notRegular(path, stat.isDirectory() ? "a directory" : "a FIFO or a device");
}

function notRegular(path: string, what: string): LayerfsError {
  return new LayerfsError("image-invalid", `Cannot read "${path}": it is ${what}, not a file`, {
    path,
  });
}
