/**
 * Locks between processes: flock(2), which the kernel drops when its holder dies.
 *
 * @module
 */

import fs from "node:fs";
import { errnoName } from "../system_error.ts";

/** A lock that is held until it is disposed of. */
export class FileLock implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #open = true;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates the lock file `path`, which must not exist, and locks it.
   *
   * @throws {LayerfsError} `conflict` where somebody has it
   */
  static create(path: string): FileLock {
    for (;;) {
      const file = Deno.openSync(path, { createNew: true, write: true, mode: 0o600 });
      file.lockSync(true);
      if (isStillThere(path, file)) return new FileLock(path, file);
      file.close(); // swept between its creation and its lock
    }
  }

  /** Locks `path`, made where it is missing, once whoever holds it is done. */
  static async wait(path: string): Promise<FileLock> {
    for (;;) {
      const file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
      await file.lock(true);
      if (isStillThere(path, file)) return new FileLock(path, file);
      file.close();
    }
  }

  /** Locks an existing `path`; null where somebody holds it, or it is gone. */
  static tryExisting(path: string): FileLock | null {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { write: true });
    } catch (error) {
      if (errnoName(error) === "ENOENT") return null;
      throw error;
    }
    if (file.tryLockSync(true) && isStillThere(path, file)) return new FileLock(path, file);
    file.close();
    return null;
  }

  /** Removes the lock file, which is what ends what it stood for, and lets go of it. */
  remove(): void {
    Deno.removeSync(this.#path);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }
}

/** Whether `path` is still the file that was opened. */
function isStillThere(path: string, file: Deno.FsFile): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.ino === file.statSync().ino;
}
