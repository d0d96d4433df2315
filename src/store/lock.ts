/**
 * Locks between processes: flock(2), which the kernel drops when its holder dies.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";
import { errnoName } from "../system_error.ts";

/** `shared` locks exclude only `exclusive` ones. */
export type LockMode = "shared" | "exclusive";

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

  /**
   * Locks `path`, made where it is missing, once whoever holds it is done.
   *
   * @throws {LayerfsError} `interrupted` where `signal` aborts before that
   */
  static async wait(
    path: string,
    mode: LockMode = "exclusive",
    signal?: AbortSignal,
  ): Promise<FileLock> {
    return await FileLock.#wait(path, { create: true, write: true, mode: 0o600 }, mode, signal);
  }

  /**
   * Locks the directory `path` itself, in which no file for it is to be.
   *
   * @throws {LayerfsError} `interrupted` where `signal` aborts before that
   */
  static async waitForDirectory(path: string, signal?: AbortSignal): Promise<FileLock> {
    return await FileLock.#wait(path, { read: true }, "exclusive", signal);
  }

  static async #wait(
    path: string,
    how: Deno.OpenOptions,
    mode: LockMode,
    signal: AbortSignal | undefined,
  ): Promise<FileLock> {
    const exclusive = mode === "exclusive";
    for (;;) {
      const file = Deno.openSync(path, how);
      try {
        if (!file.tryLockSync(exclusive)) await orAbort(file.lock(exclusive), path, signal);
      } catch (error) {
        file.close();
        throw error;
      }
      if (isStillThere(path, file)) return new FileLock(path, file);
      file.close();
    }
  }

  /** Locks `path`, made where it is missing; null where somebody holds it, or has just removed it. */
  static tryCreate(path: string): FileLock | null {
    return FileLock.#tryOpen(path, { create: true, write: true, mode: 0o600 });
  }

  /** Locks an existing `path`; null where somebody holds it, or it is gone. */
  static tryExisting(path: string): FileLock | null {
    try {
      return FileLock.#tryOpen(path, { read: true }); // flock(2) needs no more
    } catch (error) {
      if (errnoName(error) === "ENOENT") return null;
      throw error;
    }
  }

  static #tryOpen(path: string, how: Deno.OpenOptions): FileLock | null {
    const file = Deno.openSync(path, how);
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
    if (!this.#open) return;
    this.#open = false;
    // Closing is not enough: a program that starts has this file too, from fork(2) to execve(2).
    this.#file.unlockSync();
    this.#file.close();
  }
}

/** Waits for a lock. The kernel knows no way to stop that; closing the file gives it back. */
async function orAbort(
  locked: Promise<void>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) return await locked;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () =>
    reject(new LayerfsError("interrupted", `Cannot wait for "${path}": interrupted`));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    await Promise.race([locked, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Whether `path` is still the file that was opened. */
function isStillThere(path: string, file: Deno.FsFile): boolean {
  return lstatOrNull(path)?.ino === file.statSync().ino;
}
