/**
 * Whiteouts: what a layer hides of the layers below it (image-spec, layer.md).
 *
 * A whiteout may stand before or behind the entries of its own layer, which it never hides. Which
 * those are, the layer's own set of seen paths tells. The last component of what is hidden is never
 * followed, so that hiding a symlink leaves its target alone.
 *
 * @module
 */

import type { TarScanner } from "../core/tar_scanner.ts";
import { IMPLIED_DIRECTORY } from "./attributes.ts";
import { joinRelative, nameOf, parentOf } from "./root_path.ts";
import type { Tree } from "./tree.ts";

/** What {@linkcode TarScanner.seen} says of a path that is only a parent of what was seen. */
const SEEN_BELOW = 1;

/** What it says of a path that was seen itself. */
const SEEN = 2;

/** Knows what the layer in hand has had so far. */
export type Seen = Pick<TarScanner, "seen">;

/** Hides what the lower layers have at `path`. That there is nothing is no error. */
export function hide(tree: Tree, scanner: Seen, path: string): void {
  if (tree.apart !== null) return void tree.apart.hidden.push({ path, children: false });
  const place = lowerPlace(tree, scanner, path);
  if (place !== null) hidePlace(tree, scanner, place);
}

/** Hides all children that the lower layers have in the directory `path`; not through a symlink. */
export function hideChildren(tree: Tree, scanner: Seen, path: string): void {
  if (tree.apart !== null) return void tree.apart.hidden.push({ path, children: true });
  const directory = path === "" ? "" : lowerPlace(tree, scanner, path);
  if (directory === null || !tree.stat(directory)?.isDirectory()) return;
  hideChildrenOf(tree, scanner, directory);
}

/** The place that `path` names in the lower layers, or null where its parent is not there. */
function lowerPlace(tree: Tree, scanner: Seen, path: string): string | null {
  const parent = lowerDirectory(tree, scanner, parentOf(path));
  return parent === null ? null : joinRelative(parent, nameOf(path));
}

/**
 * The real directory that `path` names in the lower layers; null where there is none. A symlink is
 * followed if a lower layer has put it there. One of this layer stands where a lower directory was,
 * and its target is another one: umoci writes such whiteouts for every child that went.
 */
function lowerDirectory(tree: Tree, scanner: Seen, path: string): string | null {
  let directory = "";
  for (const name of path === "" ? [] : path.split("/")) {
    const next = joinRelative(directory, name);
    const stat = tree.stat(next);
    if (stat?.isDirectory()) {
      directory = next;
      continue;
    }
    if (!stat?.isSymbolicLink() || scanner.seen(next) === SEEN) return null;
    const target = tree.findDirectory(next);
    if (target === null) return null;
    directory = target;
  }
  return directory;
}

function hideChildrenOf(tree: Tree, scanner: Seen, directory: string): void {
  for (const name of tree.list(directory)) {
    hidePlace(tree, scanner, joinRelative(directory, name));
  }
}

function hidePlace(tree: Tree, scanner: Seen, path: string): void {
  const stat = tree.stat(path);
  if (stat === null) return;
  const state = scanner.seen(path);
  // Where the layer has something below what is no directory, a symlink of a lower layer led there.
  if (state === 0 || (state === SEEN_BELOW && !stat.isDirectory())) {
    tree.remove(path, stat);
  } else if (stat.isDirectory()) {
    if (state === SEEN_BELOW) tree.setDirectoryAttributes(path, IMPLIED_DIRECTORY);
    hideChildrenOf(tree, scanner, path);
  }
}
