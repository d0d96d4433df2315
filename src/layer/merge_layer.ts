/**
 * Puts a layer that was unpacked apart on top of the layers below it.
 *
 * Directories that are on both sides are merged, everything else is moved: a directory that the
 * lower layers do not have with all that is in it, by one rename(2).
 *
 * @module
 */

import fs from "node:fs";
import { type ApartNotes, NeedsLower } from "./apart.ts";
import { type Attributes, IMPLIED_DIRECTORY } from "./attributes.ts";
import { joinRelative, parentOf } from "./root_path.ts";
import type { Tree } from "./tree.ts";
import { hide, hideChildren, type Seen } from "./whiteout.ts";

/** Nothing of the layer is in the tree while its whiteouts are done. */
const NOTHING_SEEN: Seen = { seen: () => 0 };

/**
 * Moves what is in `apart` into `tree`.
 *
 * @param apart complete but for the attributes of its directories; empty but for directories afterwards
 * @throws {NeedsLower} where that would not be the same as to apply the layer; nothing is done then
 */
export function mergeLayer(tree: Tree, apart: Tree): void {
  const notes = notesOf(apart);
  apart.spool.flush();
  tree.spool.flush();
  const directories = directoriesOf(apart);
  checkIndependence(tree, notes, directories);
  tree.beginLayer();
  for (const { path, children } of notes.hidden) {
    if (children) hideChildren(tree, NOTHING_SEEN, path);
    else hide(tree, NOTHING_SEEN, path);
  }
  new Merger(tree, apart).run(directories);
}

/** Refuses where the lower layers lead a path of the layer elsewhere than it was taken for. */
function checkIndependence(tree: Tree, notes: ApartNotes, directories: Directories): void {
  for (const { path } of notes.hidden) {
    for (let above = parentOf(path); above !== ""; above = parentOf(above)) {
      if (tree.stat(above)?.isSymbolicLink()) throw new NeedsLower(`the link "${above}"`);
    }
  }
  /** Directories that take the place of something else, or of nothing. */
  const fresh = new Set<string>();
  for (const [path, attributes] of directories) {
    if (tree.hasDirectory(path)) continue;
    const stat = fresh.has(parentOf(path)) ? null : tree.stat(path);
    if (stat?.isDirectory()) continue;
    const isImplied = attributes === IMPLIED_DIRECTORY || notes.late.has(path);
    if (stat !== null && isImplied) throw new NeedsLower(`"${path}", which is no directory`);
    fresh.add(path);
  }
}

/** What a layer that was unpacked apart says of those below it. */
export function notesOf({ apart }: Tree): ApartNotes {
  if (apart === null) throw new TypeError("Cannot put a tree on top that was not made apart");
  return apart;
}

/** The directories of a layer but for its root, parents first, and what they will have. */
type Directories = readonly (readonly [path: string, attributes: Attributes])[];

export function directoriesOf(apart: Tree): Directories {
  return [...apart.directories]
    .filter(([path]) => path !== "")
    .sort(([one], [other]) => one < other ? -1 : 1);
}

class Merger {
  readonly #tree: Tree;
  readonly #apart: Tree;
  readonly #attributes;
  /** Directories that were moved as they are. */
  readonly #moved = new Set<string>();

  constructor(tree: Tree, apart: Tree) {
    this.#tree = tree;
    this.#apart = apart;
    this.#attributes = new Map(apart.directories);
  }

  run(directories: Directories): void {
    this.#merge("");
    for (const [path, attributes] of directories) {
      if (!this.#moved.has(path) && !this.#moved.has(parentOf(path))) continue;
      this.#moved.add(path);
      this.#tree.adoptDirectory(path, attributes);
    }
  }

  /** Merges a directory that is on both sides. */
  #merge(directory: string): void {
    const attributes = this.#attributes.get(directory)!;
    if (attributes !== IMPLIED_DIRECTORY) {
      this.#tree.setDirectoryAttributes(directory, attributes);
    }
    const children = fs.readdirSync(this.#apart.absolute(directory), { withFileTypes: true });
    for (const child of children) {
      this.#put(directory, child.name, child.isDirectory());
    }
  }

  #put(parent: string, name: string, isDirectory: boolean): void {
    const path = joinRelative(parent, name);
    if (isDirectory && this.#tree.hasDirectory(path)) return this.#merge(path);
    const stat = this.#tree.mayHaveOther({ parent, name, path }) ? this.#tree.stat(path) : null;
    if (isDirectory && stat?.isDirectory()) return this.#merge(path);
    if (stat !== null) this.#tree.remove(path, stat);
    this.#tree.adopt(path, this.#apart.absolute(path));
    if (isDirectory) this.#moved.add(path);
  }
}
