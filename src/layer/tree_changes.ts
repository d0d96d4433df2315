/**
 * What makes one tree another one: names added, changed and gone.
 *
 * Some program knows where to look (see Candidates); what has really changed is decided here alone,
 * by a comparison of both trees at those places. So the answer is the same whoever has named them:
 * a file that was changed and changed back has not changed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { decodeName, encodeName, type RawNames } from "../core/raw_name.ts";
import { type FingerprintOptions, fingerprints } from "./fingerprints.ts";
import { joinRelative, parentOf } from "./root_path.ts";
import { type SeenFile, TreeView } from "./tree_view.ts";

/** Where a tree may differ from the one that it was made of. */
export interface Candidates {
  /**
   * Paths relative to the root, as bytes, "" for that; null where nobody can tell. Whatever has
   * changed is among them, or a child of a directory among them; for what is in a directory that the
   * other tree does not have, that directory is enough.
   */
  readonly paths: readonly Uint8Array[] | null;
  /**
   * Whether a file that nobody has replaced has the inode number that it had, and that it has its
   * change time, unless it was changed.
   */
  readonly keepsInodes: boolean;
}

/** Added, modified (or replaced by something of another kind), deleted with all below it. */
export type ChangeKind = "A" | "M" | "D";

/** One name that differs. */
export interface Change {
  readonly kind: ChangeKind;
  /** Relative to the root, "" for that; tokens stand for names that are not UTF-8. */
  readonly path: string;
  /** What was there; null for "A". */
  readonly before: SeenFile | null;
  /** What is there; null for "D". */
  readonly after: SeenFile | null;
}

/** Two trees, and what differs. */
export interface TreeChanges {
  /** In the order of the bytes of their paths: a directory comes before what is in it. */
  readonly changes: readonly Change[];
  readonly before: TreeView;
  readonly after: TreeView;
  /** Files with several names, in either tree, that have a name where something may have changed. */
  readonly linksBefore: readonly (readonly string[])[];
  readonly linksAfter: readonly (readonly string[])[];
  /** What the tokens in paths stand for. */
  readonly names: RawNames;
  /** Paths of what counts as absent from the tree, as no layer can have it. */
  readonly ignored: ReadonlySet<string>;
}

/** Nanoseconds: a time that is a multiple may come from something that tells no fractions. */
const SECOND = 1_000_000_000n;

/**
 * Compares the tree `after` with `before`, of which it was made.
 *
 * @param before absolute path
 * @param after absolute path
 * @throws {LayerfsError} `conflict` where a tree changes meanwhile, `storage`, `privilege-missing`
 */
export async function treeChanges(
  before: string,
  after: string,
  { paths, keepsInodes }: Candidates,
  options: FingerprintOptions,
): Promise<TreeChanges> {
  const names: RawNames = new Map();
  const views = { before: new TreeView(before, names), after: new TreeView(after, names) };
  const comparison = new Comparison(views.before, views.after, keepsInodes);
  if (paths === null) comparison.compareAll();
  else comparison.compare(paths.map((path) => encodeName(path, names)));
  const { found, doubtful, ignored, linksBefore, linksAfter } = comparison;
  const [one, other] = [
    await fingerprints(before, doubtful, names, options),
    await fingerprints(after, doubtful, names, options),
  ];
  doubtful.forEach((path, i) => {
    if (one[i] !== other[i]) comparison.note("M", path);
  });
  const changes = inOrder([...found.values()], names);
  return { changes, ...views, linksBefore, linksAfter, names, ignored };
}

class Comparison {
  readonly found = new Map<string, Change>();
  /** Paths of what is the same but for times, content and extended attributes, which are to be read. */
  readonly doubtful: string[] = [];
  /** See {@linkcode TreeChanges.ignored}. */
  readonly ignored = new Set<string>();
  readonly #before: TreeView;
  readonly #after: TreeView;
  readonly #keepsInodes: boolean;
  /** See {@linkcode TreeChanges.linksBefore}. */
  linksBefore: string[][] = [];
  linksAfter: string[][] = [];
  readonly #visited = new Set<string>();
  #isWhole = false;

  constructor(before: TreeView, after: TreeView, keepsInodes: boolean) {
    this.#before = before;
    this.#after = after;
    this.#keepsInodes = keepsInodes;
  }

  /** Compares everything. */
  compareAll(): void {
    this.#isWhole = true;
    this.#before.readWhole();
    this.#after.readWhole();
    this.#visit("");
    this.#visitLinks();
  }

  /** Compares `paths`, the children of those that are directories, and where names get their links. */
  compare(paths: readonly string[]): void {
    for (const path of paths) this.#visit(path);
    this.#visitLinks();
  }

  /** Notes a difference. */
  note(kind: ChangeKind, path: string): void {
    const change = { kind, path, before: this.#before.stat(path), after: this.#statAfter(path) };
    this.found.set(path, change);
  }

  #visit(path: string): void {
    if (this.#visited.has(path)) return;
    this.#visited.add(path);
    const before = this.#before.stat(path);
    const after = this.#statAfter(path);
    if (before === null && after === null) return;
    if (after === null) return this.#deleted(path);
    if (before === null) return this.#added(path);
    const isDirectory = after.kind === "directory";
    if (isDirectory) this.#visitChildren(path, before.kind === "directory");
    if (!isAlike(before, after)) this.note("M", path);
    else if (!this.#isKept(before, after)) this.doubtful.push(path);
  }

  /** Notes the topmost of what is gone, and no more. */
  #deleted(path: string): void {
    const parent = parentOf(path);
    if (this.#statAfter(parent)?.kind === "directory") this.note("D", path);
    else this.#visit(parent);
  }

  /** Notes the topmost of what is new, and all below it. */
  #added(path: string): void {
    this.note("A", path);
    if (this.#statAfter(path)?.kind !== "directory") return;
    for (const child of this.#after.children(path)) this.#visit(joinRelative(path, child));
  }

  #visitChildren(path: string, wasDirectory: boolean): void {
    const before = new Set(wasDirectory ? this.#before.children(path) : []);
    for (const name of new Set([...before, ...this.#after.children(path)])) {
      const child = joinRelative(path, name);
      if (this.#isWhole || !this.#isSameInode(child)) this.#visit(child);
    }
  }

  /** Whether a child of a directory that has changed is what it was, by what is cheap to see. */
  #isSameInode(path: string): boolean {
    const [before, after] = [this.#before.stat(path), this.#statAfter(path)];
    if (before === null || after === null) return false;
    return !this.#keepsInodes || before.inode === after.inode;
  }

  /** Whether nothing can have been written: a change sets the change time, which nobody can set back. */
  #isKept(before: SeenFile, after: SeenFile): boolean {
    if (!this.#keepsInodes || before.inode !== after.inode) return false;
    // Whole seconds are too coarse to tell.
    return before.ctime === after.ctime && after.ctime % SECOND !== 0n;
  }

  /** Of a file with several names, candidates need name but one. Only a walk finds the others. */
  #visitLinks(): void {
    const hasOthers = (file: SeenFile | null) =>
      file !== null && file.kind !== "directory" && file.links > 1;
    const isLinked = (path: string) =>
      hasOthers(this.#before.stat(path)) || hasOthers(this.#statAfter(path));
    if (!this.#visited.values().some(isLinked)) return;
    const groups = [this.#before.linkGroups(), this.#after.linkGroups()];
    // A name that is visited for one group may be one of another, in the other tree.
    for (let count = -1; count !== this.#visited.size;) {
      count = this.#visited.size;
      for (const group of groups.flat().filter((group) => this.#isVisited(group))) {
        for (const path of group) this.#visit(path);
      }
    }
    [this.linksBefore = [], this.linksAfter = []] = groups.map((of) => {
      return of.filter((group) => this.#isVisited(group));
    });
  }

  #isVisited(group: readonly string[]): boolean {
    return group.some((path) => this.#visited.has(path));
  }

  /** What no layer can have counts as absent. */
  #statAfter(path: string): SeenFile | null {
    const file = this.#after.stat(path);
    if (file?.kind !== "socket") return file;
    this.ignored.add(path);
    return null;
  }
}

/**
 * Whether two files are the same by what lstat(2) says; not by their times, which Deno tells too
 * coarsely (see SeenFile): fingerprints have them. Sizes of directories say nothing.
 */
function isAlike(one: SeenFile, other: SeenFile): boolean {
  return one.kind === other.kind && one.mode === other.mode && one.uid === other.uid &&
    one.gid === other.gid && (one.kind === "directory" || one.size === other.size);
}

function inOrder(changes: readonly Change[], names: RawNames): Change[] {
  const keyed = changes.map((change) => [decodeName(change.path, names)!, change] as const);
  return keyed.sort(([a], [b]) => Buffer.compare(a, b)).map(([, change]) => change);
}
