/**
 * Paths of a root filesystem, resolved as a process inside it would resolve them.
 *
 * Every symlink on the way is followed within the root: an absolute target starts at the root, and
 * ".." at the root stays there. So no path of an image, whatever symlinks it has planted, names
 * anything outside. The check and the use are two steps; that is safe only in a tree that nobody
 * else can change, such as a staging tree below a directory of mode 0700.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";

/** Symlinks that one path may go through: Linux MAXSYMLINKS (include/linux/namei.h). */
const MAX_SYMLINKS = 40;

/** What to do on the way to a directory. All paths are relative to the root. */
export interface Walk {
  /** A component is looked at next. */
  arriving?(path: string): void;
  /** A component is a symlink, which is followed next. */
  link?(path: string): void;
  /** A component does not exist: throw, or return once it does, or may be taken as if it did. */
  missing(path: string): void;
  /** A component is neither a directory nor a symlink. Without it, `image-invalid` is thrown. */
  notDirectory?(path: string): never;
  /** Target of a symlink, where that is known better than from readlink(2). */
  linkTarget?(path: string): string | undefined;
}

/** `parent/name`, where a parent of "" is the root itself. */
export function joinRelative(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

/** The directory that `path` is in, by its text; "" is the root, and the root's own parent. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

/** The last component of `path`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The absolute path of `relativePath` ("" is the root itself) in the root. */
export function absolutePath(root: string, relativePath: string): string {
  return relativePath === "" ? root : `${root}/${relativePath}`;
}

/**
 * Follows `path` in `root` down to a directory.
 *
 * @returns the directory's path relative to the root, without any symlink; "" for the root
 * @throws {LayerfsError} `image-invalid` for a symlink loop, or where a component is no directory
 */
export function resolveDirectory(root: string, path: string, walk: Walk): string {
  const pending = path.split("/").reverse();
  const resolved: string[] = [];
  let symlinks = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved.pop();
      continue;
    }
    resolved.push(name);
    const relative = resolved.join("/");
    const absolute = absolutePath(root, relative);
    walk.arriving?.(relative);
    const stat = lstatOrNull(absolute);
    if (stat === null) {
      walk.missing(relative);
    } else if (stat.isSymlink) {
      walk.link?.(relative);
      if (++symlinks > MAX_SYMLINKS) throw new LayerfsError("image-invalid", loopMessage(path));
      const target = walk.linkTarget?.(relative) ?? readLink(absolute);
      if (target.startsWith("/")) resolved.length = 0;
      else resolved.pop();
      pending.push(...target.split("/").reverse());
    } else if (!stat.isDirectory) {
      walk.notDirectory?.(relative);
      throw notDirectory(path, relative);
    }
  }
  return resolved.join("/");
}

/** The error of a path that goes through something that is no directory. */
export function notDirectory(path: string, component: string): LayerfsError {
  return new LayerfsError(
    "image-invalid",
    `Cannot resolve "${path}": "${component}" is not a directory`,
  );
}

/**
 * The absolute path that `path` has in `root` after every symlink is followed, the last one
 * included. What does not exist is taken as it is named.
 *
 * @throws {LayerfsError} `image-invalid` for a symlink loop, or a file where a directory must be
 */
export function resolveInRoot(root: string, path: string): string {
  let rest = path;
  for (let symlinks = 0; symlinks <= MAX_SYMLINKS; symlinks++) {
    const names = rest.split("/").filter((name) => name !== "" && name !== ".");
    const last = names.pop();
    if (last === undefined) return root;
    const absent = new Set<string>();
    const note: Walk = { missing: (directory) => void absent.add(directory) };
    if (last === "..") return absolutePath(root, resolveDirectory(root, rest, note));
    const parent = resolveDirectory(root, names.join("/"), note);
    const found = joinRelative(parent, last);
    const stat = absent.size > 0 ? null : lstatOrNull(absolutePath(root, found));
    if (!stat?.isSymlink) return absolutePath(root, found);
    const target = readLink(absolutePath(root, found));
    rest = target.startsWith("/") ? target : joinRelative(parent, target);
  }
  throw new LayerfsError("image-invalid", loopMessage(path));
}

/** readlink(2), which Deno refuses where the target is not UTF-8. */
function readLink(absolute: string): string {
  try {
    return Deno.readLinkSync(absolute);
  } catch (error) {
    throw new LayerfsError(
      "unsupported",
      `Cannot follow the symbolic link "${absolute}": its target is not UTF-8`,
      {},
      { cause: error },
    );
  }
}

function loopMessage(path: string): string {
  return `Cannot resolve "${path}": it goes through more than ${MAX_SYMLINKS} symbolic links`;
}
