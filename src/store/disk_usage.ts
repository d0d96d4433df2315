/**
 * What directories take on disk.
 *
 * @module
 */

import { check, run } from "../process.ts";

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
