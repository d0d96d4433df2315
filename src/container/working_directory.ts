/**
 * Working directories that lead out of a container.
 *
 * @module
 */

import { lstatOrNull } from "../files.ts";
import { absolutePath, joinRelative } from "../layer/root_path.ts";

/** Symlinks that one path may go through: Linux MAXSYMLINKS (include/linux/namei.h). */
const MAX_SYMLINKS = 40;

/** Where the kernel's filesystems are: what the image has there is hidden. */
const HIDDEN = ["proc", "sys", "dev"];

/**
 * The place in /proc (or /dev/fd, which leads there) that `path` goes through, symlinks of the image
 * followed; null where there is none. A runtime that leaks a descriptor of the host's root into the
 * container gives away the host by such a working directory (CVE-2024-21626), and a symlink hides it
 * from whoever looks at the name only.
 *
 * @param rootfs absolute path of the root filesystem
 * @param path absolute path in the container
 */
export function findProcDetour(rootfs: string, path: string): string | null {
  const pending = path.split("/").reverse();
  let resolved: string[] = [];
  let symlinks = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved.pop();
      continue;
    }
    const parent = resolved.join("/");
    const relative = joinRelative(parent, name);
    resolved.push(name);
    if (/^(proc\/|dev\/fd$)/.test(relative)) return `/${relative}`;
    if (HIDDEN.includes(resolved[0] ?? "")) continue;
    const absolute = absolutePath(rootfs, relative);
    if (!lstatOrNull(absolute)?.isSymlink) continue;
    // The runtime fails at a loop, as any program does.
    if (++symlinks > MAX_SYMLINKS) return null;
    const target = Deno.readLinkSync(absolute);
    resolved = target.startsWith("/") ? [] : resolved.slice(0, -1);
    pending.push(...target.split("/").reverse());
  }
  return null;
}
