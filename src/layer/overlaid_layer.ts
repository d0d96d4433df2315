/**
 * Puts a layer that was unpacked apart on top of the layers below it where an overlay does that: its
 * own files are the upper directory. What is left to be done are its whiteouts, and what its
 * directories have.
 *
 * The overlay is not mounted until the layer's turn has come. So whether the layer depends on those
 * below is decided by what these have told of themselves; where that does not do, by caution.
 *
 * @module
 */

import fs from "node:fs";
import { lstatOrNull } from "../files.ts";
import { NeedsLower } from "./apart.ts";
import { IMPLIED_DIRECTORY } from "./attributes.ts";
import type { ToldTree } from "./lower_tree.ts";
import { directoriesOf, notesOf } from "./merge_layer.ts";
import { absolutePath, joinRelative, parentOf } from "./root_path.ts";
import type { Tree } from "./tree.ts";
import { hide, hideChildren, type Seen } from "./whiteout.ts";

/**
 * Makes sure that a layer unpacked apart is, on top of the layers below, what it would be if it were
 * applied in its turn.
 *
 * @param told by the layers below; null where they are not known
 * @throws {NeedsLower} where that is not certain
 */
export function checkOverlaid(told: ToldTree | null, apart: Tree): void {
  if (told === null) throw new NeedsLower("layers that are not known");
  if (told.mayGiveAcls) throw new NeedsLower("default access control lists");
  const { late, hidden } = notesOf(apart);
  if (told.rawFiles.length > 0 && hidden.length > 0) {
    throw new NeedsLower("names that are not UTF-8, which may be hidden");
  }
  /** Directories that take the place of something else, or of nothing. */
  const fresh = new Set<string>();
  for (const [path, attributes] of directoriesOf(apart)) {
    const isImplied = attributes === IMPLIED_DIRECTORY;
    if (isImplied && told.haveXattrs) {
      throw new NeedsLower(`the extended attributes of "${path}"`);
    }
    if (told.directories.has(path)) continue;
    if ((isImplied || late.has(path)) && !fresh.has(parentOf(path))) {
      throw new NeedsLower(`"${path}", which may be no directory`);
    }
    fresh.add(path);
  }
  for (const { path } of hidden) {
    for (let above = parentOf(path); above !== ""; above = parentOf(above)) {
      if (!told.directories.has(above)) throw new NeedsLower(`"${above}", which may be a link`);
    }
  }
}

/**
 * Finishes a layer that an overlay shows already, on top of those below it.
 *
 * @param tree of the overlay; it was told what the layers below have
 * @param own the upper directory, which was the root of `apart`; absolute
 */
export function finishOverlaid(tree: Tree, apart: Tree, own: string): void {
  tree.beginLayer();
  forgetCovered(tree, apart, own);
  const attributes = new Map(apart.directories);
  const seen: Seen = {
    seen: (path) => {
      const directory = attributes.get(path);
      if (directory !== undefined) return directory === IMPLIED_DIRECTORY ? 1 : 2;
      // Of what is in the overlay: so it is no whiteout of ours.
      const stat = lstatOrNull(absolutePath(own, path));
      return stat === null || stat.isDirectory ? 0 : 2;
    },
  };
  for (const { path, children } of notesOf(apart).hidden) {
    if (children) hideChildren(tree, seen, path);
    else hide(tree, seen, path);
  }
  for (const [path, directory] of attributes) {
    if (!tree.hasDirectory(path)) tree.adoptDirectory(path, directory);
    else if (directory === IMPLIED_DIRECTORY) tree.enter(path);
    else tree.setDirectoryAttributes(path, directory);
  }
}

/**
 * Forgets the directories of the layers below in whose places the layer has something else, and the
 * symlinks of which more is known than the filesystem tells.
 */
function forgetCovered(tree: Tree, apart: Tree, own: string): void {
  for (const [path] of apart.directories) {
    if (!tree.hasDirectory(path)) continue;
    for (const child of fs.readdirSync(absolutePath(own, path), { withFileTypes: true })) {
      const at = joinRelative(path, child.name);
      if (!child.isDirectory() && tree.hasDirectory(at)) tree.forget(at);
    }
  }
  for (const link of [...tree.rawNames.links]) {
    if (lstatOrNull(absolutePath(own, link)) !== null) tree.forget(link);
  }
}
