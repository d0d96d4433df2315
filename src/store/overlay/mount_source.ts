/**
 * What overlays of ours are called in the tables of mounts, which is how they are known again.
 *
 *     layerfs                             the probe's
 *     layerfs-<store>                     a view, or a layer in the making
 *     layerfs-<store>-<upper directory>   a container's
 *
 * A directory stands there as its device and its inode.
 *
 * @module
 */

import { run } from "../../process.ts";
import type { ListedMount } from "../mounts.ts";

/** What every mount of ours is called, or begins with before a "-". */
export const SOURCE = "layerfs";

/** What mounts on top of layers of the store at `store` are called, or begin with before a "-". */
export function storeSource(store: string): string {
  return `${SOURCE}-${identity(store)}`;
}

/** What a container's mount is called: nothing else has the same upper directory. */
export function containerSource(store: string, upper: string): string {
  return `${storeSource(store)}-${identity(upper)}`;
}

/** Whether layerfs has mounted it. */
export function isOurs({ source, fstype }: ListedMount): boolean {
  return fstype === "overlay" && source.split("-", 1)[0] === SOURCE;
}

/** Whether anything is mounted on top of layers of a store, in any mount namespace. */
export async function isStoreInUse(store: string): Promise<boolean> {
  // proc_pid_mountinfo(5): "36 35 0:57 / /mnt rw,relatime - overlay SOURCE rw,lowerdir=…".
  const pattern = ` - overlay ${storeSource(store)}[ -]`;
  const others = ["-path", "/proc/[!0-9]*", "-prune"];
  const tables = ["-path", "/proc/*/mountinfo", "-exec", "grep", "-ls", "-e", pattern, "{}", "+"];
  const args = ["/proc", "-mindepth", "1", "-maxdepth", "2", ...others, "-o", ...tables];
  // Its status is of no interest, as processes come and go while it looks.
  const { stdout } = await run("find", args);
  return stdout !== "";
}

function identity(directory: string): string {
  const { dev, ino } = Deno.statSync(directory);
  return `${dev}-${ino}`;
}
