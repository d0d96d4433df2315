/**
 * What is mounted where, as this process's mount namespace has it.
 *
 * @module
 */

import { exists } from "../files.ts";
import { check, run } from "../process.ts";

/** A mount, as the kernel's table has it. */
export interface ListedMount {
  /** Where it is mounted; absolute, without symlinks. */
  readonly target: string;
  readonly source: string;
  readonly fstype: string;
}

/** All mounts, in the order of their mounting: of several at one place, the last one is seen. */
export async function listMounts(): Promise<readonly ListedMount[]> {
  // /proc is out of Deno's reach; JSON has no escapes of its own making.
  const args = ["--json", "--list", "--output", "TARGET,SOURCE,FSTYPE"];
  const { stdout } = check(await run("findmnt", args), "Cannot list the mounts");
  return (JSON.parse(stdout) as { filesystems: ListedMount[] }).filesystems;
}

/**
 * The mount points at or below `path`. Removing a tree that something is mounted in would remove what
 * is mounted.
 *
 * @param place absolute; its symlinks are resolved, as the system names mounts without any
 */
export async function mountsBelow(place: string): Promise<string[]> {
  const path = exists(place) ? Deno.realPathSync(place) : place;
  return (await listMounts())
    .map(({ target }) => target)
    .filter((target) => target === path || target.startsWith(`${path}/`));
}

/** A mount for people to read: what it is, and of which type. */
export function describeMount({ source, fstype }: ListedMount): string {
  return source === fstype ? `a ${fstype}` : `"${source}" (${fstype})`;
}
