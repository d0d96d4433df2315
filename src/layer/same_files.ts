/**
 * Which files are the same in two trees, but for their times.
 *
 * @module
 */

import type { RawNames } from "../core/raw_name.ts";
import { type FingerprintOptions, fingerprints } from "./fingerprints.ts";
import type { SeenFile, TreeView } from "./tree_view.ts";

/**
 * Those of `paths` at which two trees have the same: neither anything, or files of one kind with the
 * same mode, owner, content, target, device number and extended attributes. Times do not count, as a
 * new release of an image has new ones for files that nobody has touched; nor does what is in
 * directories.
 *
 * @throws {LayerfsError} `conflict` where a file changes meanwhile
 */
export async function sameFiles(
  one: TreeView,
  other: TreeView,
  paths: Iterable<string>,
  names: RawNames,
  options: FingerprintOptions,
): Promise<Set<string>> {
  const same = new Set<string>();
  const doubtful: string[] = [];
  for (const path of new Set(paths)) {
    const [a, b] = [one.stat(path), other.stat(path)];
    if (a === null && b === null) same.add(path);
    else if (a !== null && b !== null && isAlike(a, b)) doubtful.push(path);
  }
  const how = { ...options, ignoreTimes: true };
  const [those, these] = [
    await fingerprints(one.root, doubtful, names, how),
    await fingerprints(other.root, doubtful, names, how),
  ];
  doubtful.forEach((path, i) => {
    if (those[i] === these[i]) same.add(path);
  });
  return same;
}

/** By what lstat(2) says. A socket is like nothing: it cannot be packed, and so not be compared. */
function isAlike(one: SeenFile, other: SeenFile): boolean {
  return one.kind === other.kind && one.kind !== "socket" && one.mode === other.mode &&
    one.uid === other.uid && one.gid === other.gid &&
    (one.kind === "directory" || one.size === other.size);
}
