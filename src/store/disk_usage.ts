/**
 * What directories take on disk, and how much room there is.
 *
 * @module
 */

import { nodeFs } from "../node.ts";
import { check, run } from "../process.ts";
import { storageError } from "../system_error.ts";
import type { Capacity } from "./driver.ts";

/**
 * Bytes that each of `paths` takes on disk, with all that is in it: one du(1) for all of them. Blocks
 * that a file shares with another one (a reflink) count as its own, as du cannot tell. A file with
 * names in several of the paths counts once.
 *
 * @param paths absolute
 * @returns without those paths that are not there
 * @throws {LayerfsError} `unexpected` where du cannot be used
 */
export async function diskUsage(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (paths.length === 0) return new Map();
  const args = ["--summarize", "--block-size=1", "--null", "--files0-from=-"];
  const names = paths.map((path) => `${path}\0`).join("");
  const result = await run("du", args, { stdin: new TextEncoder().encode(names) });
  // du says with status 1 that it could not read a directory, or that one is gone, and goes on.
  const { stdout } = result.code === 1 ? result : check(result, "Cannot measure what is on disk");
  const rows = stdout.split("\0").filter((row) => row !== "");
  return new Map(rows.map((row) => {
    const tab = row.indexOf("\t");
    return [row.slice(tab + 1), Number(row.slice(0, tab))];
  }));
}

/**
 * Space of the filesystem that `path` is on (statfs(2)): what is free for us is less than all that is
 * not in use, where root has a reserve.
 *
 * @throws {LayerfsError} `not-found`, `storage`
 */
export function capacityOf(path: string): Capacity {
  try {
    const { bsize, blocks, bfree, bavail } = nodeFs().statfsSync(path);
    return { usedBytes: (blocks - bfree) * bsize, availableBytes: bavail * bsize };
  } catch (error) {
    throw storageError(error, `Cannot measure the filesystem of "${path}"`);
  }
}
