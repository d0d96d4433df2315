/**
 * How hard links are told in a layer.
 *
 * A name that the layers below have too, and that has not changed, needs no entry: the file keeps its
 * inode, and new names link to it. Of a new file, one name is packed, and the others link to that. Where names part that were one file, each part but what changed
 * is packed anew, as a layer cannot say otherwise that two names are two files.
 *
 * @module
 */

import type { TreeChanges } from "./tree_changes.ts";

/** What a layer has to say of links. */
export interface LinkPlan {
  /** Paths of files that have not changed, and are packed all the same. */
  readonly repacked: ReadonlySet<string>;
  /**
   * Names of files that stand under another name, the target, already: in the layers below, or packed
   * before. They are not packed themselves.
   */
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
  const links = changes.linksAfter.flatMap((group) => {
    const names = group.filter(isFile).sort();
    const isPacked = (path: string) => changed.has(path) || repacked.has(path);
    const packed = names.filter(isPacked);
    // tar would find most of these links by itself, but not those of FIFOs and devices.
    const [target = names.find((path) => !isPacked(path))] = packed.length < names.length
      ? []
      : packed.splice(0, 1);
    return target === undefined ? [] : packed.map((path) => ({ path, target }));
  }).sort((a, b) => a.path < b.path ? -1 : 1);
  return { repacked, links };
}

/** Each path's group, by one object. */
function groupOf(
  groups: readonly (readonly string[])[],
): ReadonlyMap<string, readonly string[]> {
  return new Map(groups.flatMap((group) => group.map((path) => [path, group] as const)));
}
