/**
 * Mounts that stand in the way of a removal.
 *
 * @module
 */

import { check, run } from "../process.ts";

/**
 * The mount points at or below `path`, in this process's mount namespace. Removing a tree that
 * something is mounted in would remove what is mounted.
 *
 * @param path absolute, without symlinks
 */
export async function mountsBelow(path: string): Promise<string[]> {
  // /proc is out of Deno's reach; JSON has no escapes of its own making.
  const args = ["--json", "--list", "--output", "TARGET"];
  const { stdout } = check(await run("findmnt", args), "Cannot list the mounts");
  const { filesystems } = JSON.parse(stdout) as { filesystems: { target: string }[] };
  return filesystems
    .map(({ target }) => target)
    .filter((target) => target === path || target.startsWith(`${path}/`));
}
