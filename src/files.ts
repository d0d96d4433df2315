/**
 * What Deno's own file calls leave out. The main thread uses those, and no `node:fs`: to load that
 * takes longer than Deno takes to start, and a create would wait for it.
 *
 * `Deno.removeSync` takes an empty directory as well as a file. Where only a file is meant, what is
 * there was made, or looked at, by us; what an empty directory in its place would say is nothing.
 *
 * @module
 */

import { errnoName, storageError } from "./system_error.ts";

/**
 * Whether there is something at `path`, symlinks followed; a link that leads nowhere, or round in a
 * circle, leads to nothing.
 *
 * @throws what the system says of a path that cannot be looked at
 */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoName(error))) return false;
    throw error;
  }
}

/**
 * lstat(2), or null where nothing is there.
 *
 * @throws {LayerfsError} why it cannot be told
 */
export function lstatOrNull(path: string): Deno.FileInfo | null {
  return nullIfAbsent(path, Deno.lstatSync);
}

/**
 * What `look` says of `path`, or null where nothing is there.
 *
 * @throws as {@linkcode lstatOrNull}
 */
export function nullIfAbsent<T>(path: string, look: (path: string) => T): T | null {
  try {
    return look(path);
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT" || name === "ENOTDIR") return null;
    throw storageError(error, `Cannot look up "${path}"`);
  }
}

/** The names in a directory, in no order; those that are not UTF-8 have U+FFFD in them. */
export function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name);
}

/**
 * Removes an empty directory, and nothing else. Deno has no rmdir(2): `Deno.removeSync` removes files
 * too, and takes a slash, which would tell the system, off the end of a path where permissions are
 * named (measured, 2.9.6). So what takes a directory's place between the look and the removal is
 * removed, if it is a file or empty; all callers have places that only layerfs writes to, under a lock,
 * or that they have just seen empty.
 *
 * @throws what the system says of a directory that is not empty, or `NotADirectory`
 */
export function removeDirectory(path: string): void {
  if (!Deno.lstatSync(path).isDirectory) {
    throw new Deno.errors.NotADirectory(`Not a directory (os error 20): remove '${path}'`);
  }
  Deno.removeSync(path);
}

/** Removes a file or a symlink, if it is there. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
  }
}

/** Removes `path` with all that is in it, if it is there. Symlinks are removed, never followed. */
export function removeAll(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
  }
}

/** read(2) at `position` of a file: the number of bytes read, 0 at its end. */
export function readPiece(file: Deno.FsFile, bytes: Uint8Array, position: number): number {
  file.seekSync(position, Deno.SeekMode.Start);
  return file.readSync(bytes) ?? 0;
}

/** Fills `bytes` from `position` of a file; less only at its end. Returns the bytes read. */
export function readAt(file: Deno.FsFile, bytes: Uint8Array, position: number): number {
  let read = 0;
  while (read < bytes.length) {
    const count = readPiece(file, bytes.subarray(read), position + read);
    if (count === 0) break;
    read += count;
  }
  return read;
}

/** write(2) where the file is, until all is written. */
export function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** fsync(2) of a file, or of a directory: its content is there after a loss of power. */
export function syncToDisk(path: string): void {
  using file = Deno.openSync(path);
  file.syncSync();
}

/**
 * Writes a new file that is on disk when this returns.
 *
 * @param mode less what the umask takes away
 */
export function writeDurably(path: string, text: string, mode: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode });
  writeAll(file, new TextEncoder().encode(text));
  file.syncSync();
}
