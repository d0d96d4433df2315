/**
 * Mounts that stand in the way of a removal.
 *
 * @module
 */

import fs from "node:fs";
import { check, run } from "../process.ts";

/**
 * The mount points at or below `path`, in this process's mount namespace. Removing a tree that
 * something is mounted in would remove what is mounted.
 *
 * @param place absolute; its symlinks are resolved, as the system names mounts without any
 */
export async function mountsBelow(place: string): Promise<string[]> {
  const path = fs.existsSync(place) ? fs.realpathSync(place) : place;
  // /proc is out of Deno's reach; JSON has no escapes of its own making.
  const args = ["--json", "--list", "--output", "TARGET"];
  const { stdout } = check(await run("findmnt", args), "Cannot list the mounts");
  const { filesystems } = JSON.parse(stdout) as { filesystems: { target: string }[] };
  return filesystems
    .map(({ target }) => target)
    .filter((target) => target === path || target.startsWith(`${path}/`));
}
