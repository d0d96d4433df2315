/**
 * Whether something is mounted at a path.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
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
    const stat = fs.lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isDirectory()) return false;
    return stat.dev !== fs.statSync(path.dirname(place)).dev;
  } catch (error) {
    const action = `Cannot look at "${place}"`;
    // What every call gets from a FUSE mount that nobody serves any more.
    if (errnoName(error) !== "ENOTCONN") throw storageError(error, action);
    const state = `the daemon of the filesystem mounted there has ended; umount "${place}"`;
    throw new LayerfsError("storage", `${action}: ${state}`, { path: place }, { cause: error });
  }
}
