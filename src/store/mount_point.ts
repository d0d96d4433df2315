/**
 * Whether something is mounted at a path.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";

/**
 * Whether `place` is a directory that a filesystem is mounted at, in this process's mount namespace:
 * its device is not that of the directory that it is in. No program is started. (A bind mount from
 * the same filesystem is not seen; layerfs makes none.)
 *
 * @param place absolute; not followed where it is a symlink
 * @returns false too where there is nothing at all
 * @throws {LayerfsError} `storage` for a mount whose daemon has died
 */
export function isMountPoint(place: string): boolean {
  try {
    const stat = Deno.lstatSync(place);
    return stat.isDirectory && stat.dev !== Deno.statSync(dirname(place)).dev;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return false;
    const action = `Cannot look at "${place}"`;
    // What every call gets from a FUSE mount that nobody serves any more.
    if (errnoName(error) !== "ENOTCONN") throw storageError(error, action);
    const state = `the daemon of the filesystem mounted there has ended; umount "${place}"`;
    throw new LayerfsError("storage", `${action}: ${state}`, { path: place }, { cause: error });
  }
}
