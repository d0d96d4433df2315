/**
 * Three trees: one, what a container has made of it, and what another image has in its place. Which
 * of the container's changes go on top of the other image, and where the two contradict each other.
 *
 *     base ──────> ours (the container)        changes: base ─> ours
 *       └────────> theirs (the new image)      merged:  theirs ─> theirs with the changes
 *
 * A change contradicts where both sides have changed the same path, and not to the same. Times alone
 * are no change of the other side's, and a change of a time alone gives way: a new release has new
 * times everywhere, and a directory's time tells but that a name came or went. What is removed counts
 * with all below it, and what is below a directory that is gone, too.
 *
 * @module
 */

import type { FingerprintOptions } from "./fingerprints.ts";
import { planLinks } from "./link_plan.ts";
import { parentOf } from "./root_path.ts";
import { sameFiles } from "./same_files.ts";
import type { Change, ChangeKind, TreeChanges } from "./tree_changes.ts";
import { type SeenFile, TreeView } from "./tree_view.ts";

/** Whose state stays: the container's, or that of the new image. */
export type Side = "ours" | "theirs";

/** A path that both sides have changed, and not to the same. */
export interface Contradiction {
  /** Relative to the root, as in {@linkcode Change}. */
  readonly path: string;
  /** What the container did there. */
  readonly ours: ChangeKind;
  /** What the new image did there. */
  readonly theirs: ChangeKind;
  /**
   * A directory of the container's that the new image has something else in the place of, such as a
   * symlink: the change cannot be kept without the loss of that. Null for none.
   */
  readonly blockedBy: string | null;
}

/** What was found out about three trees. */
export interface Merge {
  /** In the order of the paths; none where the sides agree. */
  readonly contradictions: readonly Contradiction[];
  /** The changes that are to be made to the other tree, with what contradicts settled. */
  settle(side: Side): TreeChanges;
}

/** A change of ours. */
interface OurChange {
  readonly kind: ChangeKind;
  readonly after: SeenFile | null;
  /** Whether it is one of names only: the same file under names that were others' before. */
  readonly isLinkOnly: boolean;
}

/** What becomes of a change: it is made, it is not, or the sides contradict each other. */
type Decision = "ours" | "theirs" | "contradiction";

/**
 * Compares the changes of one tree with what another one has there.
 *
 * @param theirs absolute path of the other tree
 * @throws {LayerfsError} `conflict` where a file changes meanwhile
 */
export async function mergeTrees(
  changes: TreeChanges,
  theirs: string,
  options: FingerprintOptions,
): Promise<Merge> {
  const merger = new Merger(changes, theirs, options);
  await merger.decide();
  return merger;
}

class Merger implements Merge {
  readonly contradictions: Contradiction[] = [];
  readonly #changes: TreeChanges;
  readonly #theirs: TreeView;
  readonly #options: FingerprintOptions;
  /** By path; a directory comes before what is in it. */
  readonly #ours: ReadonlyMap<string, OurChange>;
  readonly #decisions = new Map<string, Decision>();
  /** Paths at which the other image has what the base has, and what the container has. */
  #kept: ReadonlySet<string> = new Set();
  #agreed: ReadonlySet<string> = new Set();
  /** Paths at which the container has but another time. */
  #touched: ReadonlySet<string> = new Set();

  constructor(changes: TreeChanges, theirs: string, options: FingerprintOptions) {
    this.#changes = changes;
    this.#theirs = new TreeView(theirs, changes.names);
    this.#options = options;
    this.#ours = changesOf(changes);
  }

  async decide(): Promise<void> {
    const { before, after, names, linksAfter } = this.#changes;
    const same = (one: TreeView, other: TreeView, paths: Iterable<string>) =>
      sameFiles(one, other, paths, names, this.#options);
    const paths = [...this.#ours.keys()];
    const removed = paths.filter((path) => this.#removesDirectory(path));
    const below = removed.flatMap((path) => this.#below(path));
    this.#kept = await same(before, this.#theirs, [...paths, ...below, ...linksAfter.flat()]);
    const changed = paths.filter((path) => !this.#kept.has(path));
    const present = changed.filter((path) => this.#ours.get(path)?.after !== null);
    this.#touched = await same(before, after, present);
    this.#agreed = await same(after, this.#theirs, present);
    for (const [path, change] of this.#ours) {
      this.#decisions.set(path, this.#decisionOn(path, change));
    }
  }

  /** Whether a directory of the base goes with all that it had. */
  #removesDirectory(path: string): boolean {
    const after = this.#ours.get(path)?.after;
    return this.#changes.before.stat(path)?.kind === "directory" && after?.kind !== "directory";
  }

  /** All that the base or the other image has below a directory. */
  #below(path: string): string[] {
    return [...new Set([...this.#changes.before.below(path), ...this.#theirs.below(path)])];
  }

  #decisionOn(path: string, change: OurChange): Decision {
    const isReal = !change.isLinkOnly && !this.#touched.has(path);
    const gone = this.#missingAbove(path);
    if (gone !== null) return this.#decideBelow(path, change, isReal, gone);
    const theirs = this.#theirs.stat(path);
    if (change.kind === "D" && theirs === null) return "theirs"; // gone on both sides
    if (this.#agreed.has(path)) return "theirs"; // both have done the same
    const places = this.#removesDirectory(path) ? [path, ...this.#below(path)] : [path];
    // What both have removed below a directory that is removed contradicts nothing.
    const isGone = (place: string) => place !== path && this.#theirs.stat(place) === null;
    const changed = places.filter((place) => !this.#kept.has(place) && !isGone(place));
    if (changed.length === 0) return "ours";
    if (!isReal) return "theirs";
    for (const place of changed) {
      const isSplit = place === path && change.after?.kind === "directory" &&
        this.#changes.before.stat(path)?.kind === "directory" && theirs !== null;
      const isBlocked = isSplit && theirs.kind !== "directory";
      this.#contradict(place, place === path ? change.kind : "D", isBlocked ? path : null);
    }
    return "contradiction";
  }

  /** The topmost directory above `path` that is none in the other tree; null where all are. */
  #missingAbove(path: string): string | null {
    let missing: string | null = null;
    for (let above = path; above !== "";) {
      above = parentOf(above);
      if (this.#theirs.stat(above)?.kind === "directory") break;
      missing = above;
    }
    return missing;
  }

  /** Decides on a change below a directory that the other tree does not have. */
  #decideBelow(path: string, change: OurChange, isReal: boolean, missing: string): Decision {
    if (change.kind === "D") return "theirs"; // gone on both sides
    for (let above = path; above !== missing;) {
      above = parentOf(above);
      const decision = this.#decisions.get(above);
      // It stands or falls with that directory, for which a contradiction has been noted.
      if (decision === "contradiction") return "contradiction";
      if (decision === "ours") return "ours";
    }
    if (!isReal) return "theirs";
    const inPlace = this.#theirs.stat(missing) === null ? null : missing;
    this.#contradict(path, change.kind, inPlace);
    return "contradiction";
  }

  #contradict(path: string, ours: ChangeKind, blockedBy: string | null): void {
    const [was, is] = [this.#changes.before.stat(path), this.#theirs.stat(path)];
    const theirs = is === null ? "D" : was === null ? "A" : "M";
    this.contradictions.push({ path, ours, theirs, blockedBy });
  }

  settle(side: Side): TreeChanges {
    const made = new Map<string, Change>();
    for (const [path, { kind, after }] of this.#ours) {
      const decision = this.#decisions.get(path);
      if (decision === "theirs" || (decision === "contradiction" && side === "theirs")) continue;
      const before = this.#theirs.stat(path);
      made.set(path, {
        kind: kind === "D" ? "D" : before === null ? "A" : "M",
        path,
        before,
        after,
      });
    }
    const { after, names, ignored } = this.#changes;
    return {
      changes: [...made.values()],
      before: this.#theirs,
      after,
      // Where names part or meet was found out above, and is among the changes.
      linksBefore: [],
      linksAfter: this.#links(made),
      names,
      ignored,
    };
  }

  /**
   * Names that are to be one file: those that change, and one that the other tree has already, be it
   * with newer content: a new name of a file is a name of what that file is now.
   */
  #links(made: ReadonlyMap<string, Change>): string[][] {
    return this.#changes.linksAfter.flatMap((group) => {
      const changed = group.filter((path) => made.has(path));
      const kind = this.#changes.after.stat(group[0]!)?.kind;
      const others = group.filter((path) => {
        return !this.#ours.has(path) && this.#theirs.stat(path)?.kind === kind;
      });
      const target = others.find((path) => this.#kept.has(path)) ?? others[0];
      return changed.length === 0 ? [] : [target === undefined ? changed : [...changed, target]];
    });
  }
}

/** The changes by path, and those files that have not changed but are other names' by now. */
function changesOf(changes: TreeChanges): Map<string, OurChange> {
  const found = new Map<string, OurChange>();
  for (const { kind, path, after } of changes.changes) {
    found.set(path, { kind, after, isLinkOnly: false });
  }
  for (const path of planLinks(changes).repacked) {
    if (found.has(path)) continue;
    found.set(path, { kind: "M", after: changes.after.stat(path), isLinkOnly: true });
  }
  const parts = (path: string) => path === "" ? [] : path.split("/");
  return new Map([...found].sort(([a], [b]) => compareParts(parts(a), parts(b))));
}

/** A directory comes before what is in it. */
function compareParts(one: readonly string[], other: readonly string[]): number {
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    if (one[i]! !== other[i]!) return one[i]! < other[i]! ? -1 : 1;
  }
  return one.length - other.length;
}
