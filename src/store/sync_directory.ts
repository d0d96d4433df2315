/**
 * Makes a directory's names last.
 *
 * @module
 */

import fs from "node:fs";

/** fsync(2) of a directory: what was renamed into it is found there after a loss of power. */
export function syncDirectory(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
