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

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";

/** Symlinks that one path may go through: Linux MAXSYMLINKS (include/linux/namei.h). */
const MAX_SYMLINKS = 40;

/** Decides what a missing component is: throw, or make it a directory and return. */
export type MissingDirectory = (relativePath: string) => void;

/** Ends a resolution where a component is neither a directory nor a symlink to one. */
export type NoDirectory = (path: string, relativePath: string) => never;

/** `parent/name`, where a parent of "" is the root itself. */
export function joinRelative(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

/** The absolute path of `relativePath` ("" is the root itself) in the root. */
export function absolutePath(root: string, relativePath: string): string {
  return relativePath === "" ? root : `${root}/${relativePath}`;
}

/**
 * Follows `path` in `root` down to a directory.
 *
 * @param missing called for a component that does not exist, after which it must
 * @param noDirectory called for a component that is no directory; throws `image-invalid` if absent
 * @returns the directory's path relative to the root, without any symlink; "" for the root
 * @throws {LayerfsError} `image-invalid` for a symlink loop, or where a component is no directory
 */
export function resolveDirectory(
  root: string,
  path: string,
  missing: MissingDirectory,
  noDirectory: NoDirectory = refuse,
): string {
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
    const stat = lstatOrNull(absolute);
    if (stat === null) {
      missing(relative);
    } else if (stat.isSymbolicLink()) {
      if (++symlinks > MAX_SYMLINKS) throw new LayerfsError("image-invalid", loopMessage(path));
      const target = readLink(absolute);
      if (target.startsWith("/")) resolved.length = 0;
      else resolved.pop();
      pending.push(...target.split("/").reverse());
    } else if (!stat.isDirectory()) {
      noDirectory(path, relative);
    }
  }
  return resolved.join("/");
}

function refuse(path: string, relative: string): never {
  throw new LayerfsError(
    "image-invalid",
    `Cannot resolve "${path}": "${relative}" is not a directory`,
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
    const note = (directory: string) => absent.add(directory);
    if (last === "..") return absolutePath(root, resolveDirectory(root, rest, note));
    const parent = resolveDirectory(root, names.join("/"), note);
    const found = joinRelative(parent, last);
    const stat = absent.size > 0 ? null : lstatOrNull(absolutePath(root, found));
    if (!stat?.isSymbolicLink()) return absolutePath(root, found);
    const target = readLink(absolutePath(root, found));
    rest = target.startsWith("/") ? target : joinRelative(parent, target);
  }
  throw new LayerfsError("image-invalid", loopMessage(path));
}

/** lstat(2), or null where nothing is there. */
export function lstatOrNull(absolute: string): fs.Stats | null {
  try {
    return fs.lstatSync(absolute);
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT" || name === "ENOTDIR") return null;
    throw storageError(error, `Cannot look up "${absolute}"`);
  }
}

/** readlink(2). Deno puts U+FFFD where a target is not UTF-8, which then names something else. */
function readLink(absolute: string): string {
  const target = fs.readlinkSync(absolute);
  if (!target.includes("\u{FFFD}")) return target;
  throw new LayerfsError(
    "unsupported",
    `Cannot follow the symbolic link "${absolute}": its target is not UTF-8`,
  );
}

function loopMessage(path: string): string {
  return `Cannot resolve "${path}": it goes through more than ${MAX_SYMLINKS} symbolic links`;
}
