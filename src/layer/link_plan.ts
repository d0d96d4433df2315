/**
 * How hard links are told in a layer.
 *
 * A name that the layers below have too, and that has not changed, needs no entry: the file keeps its
 * inode, and new names link to it. Where names part that were one file, each part but what changed
 * is packed anew, as a layer cannot say otherwise that two names are two files.
 *
 * @module
 */

import type { TreeChanges } from "./tree_changes.ts";

/** What a layer has to say of links. */
export interface LinkPlan {
  /** Paths of files that have not changed, and are packed all the same. */
  readonly repacked: ReadonlySet<string>;
  /** New names, and the path of an unchanged file of the layers below that each is a name of. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

/** Finds out how the links of the tree after the changes are made of those before. */
export function planLinks(changes: TreeChanges): LinkPlan {
  const changed = new Set(changes.changes.map(({ path }) => path));
  const groupsBefore = groupOf(changes.linksBefore);
  const groupsAfter = groupOf(changes.linksAfter);
  const isFile = (path: string) => {
    const kind = changes.after.stat(path)?.kind;
    return kind !== undefined && kind !== "directory" && kind !== "socket";
  };
  const isKept = (path: string) => !changed.has(path) && isFile(path);
  const repacked = new Set<string>();
  // What was one file and is several.
  for (const group of changes.linksBefore) {
    const kept = group.filter(isKept);
    const parts = new Set(kept.map((path) => groupsAfter.get(path) ?? path));
    if (parts.size > 1) kept.forEach((path) => repacked.add(path));
  }
  // What were several and is one.
  for (const group of changes.linksAfter) {
    const kept = group.filter(isKept);
    const parts = new Set(kept.map((path) => groupsBefore.get(path) ?? path));
    if (parts.size > 1 || kept.some((path) => repacked.has(path))) {
      kept.forEach((path) => repacked.add(path));
    }
  }
  // The one may have led to the other: a file that is packed anew takes all its names along.
  const links = changes.linksAfter.flatMap((group) => {
    const target = group.find((path) => isKept(path) && !repacked.has(path));
    if (target === undefined) return [];
    return group.filter((path) => changed.has(path) && isFile(path))
      .map((path) => ({ path, target }));
  });
  return { repacked, links };
}

/** Each path's group, by one object. */
function groupOf(
  groups: readonly (readonly string[])[],
): ReadonlyMap<string, readonly string[]> {
  return new Map(groups.flatMap((group) => group.map((path) => [path, group] as const)));
}
