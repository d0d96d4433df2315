/**
 * Writing all of some bytes.
 *
 * @module
 */

import fs from "node:fs";

/** pwrite(2) until all is written. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
