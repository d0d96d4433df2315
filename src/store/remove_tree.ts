/**
 * Removal of a directory with all that is in it, whatever modes and owners a container has left.
 *
 * @module
 */

import { removeAll } from "../files.ts";
import { run } from "../process.ts";
import { errnoName, storageError } from "../system_error.ts";

/**
 * Removes `path`; that it is not there is no error. Symlinks are removed, never followed.
 *
 * An ordinary user's container may have directories that he cannot enter (mode 0555), which are
 * opened first, and files of his subordinate users, which only a process in a user namespace of
 * his can remove.
 *
 * @throws {LayerfsError} where something stays
 */
export async function removeTree(path: string): Promise<void> {
  try {
    removeAll(path);
    return;
  } catch (error) {
    const name = errnoName(error);
    if (Deno.uid() === 0 || (name !== "EACCES" && name !== "EPERM")) {
      throw storageError(error, `Cannot remove "${path}"`);
    }
  }
  try {
    openDirectories(path);
    removeAll(path);
  } catch (error) {
    const args = ["--map-root-user", "--map-auto", "--", "rm", "-rf", "--", path];
    const { code } = await run("unshare", args);
    if (code !== 0) throw storageError(error, `Cannot remove "${path}"`);
  }
}

function openDirectories(path: string): void {
  Deno.chmodSync(path, 0o700);
  for (const entry of [...Deno.readDirSync(path)]) {
    if (entry.isDirectory) openDirectories(`${path}/${entry.name}`);
  }
}
