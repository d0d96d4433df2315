/**
 * The tree of a container that is moved to another image: the changes of the container on top of it.
 *
 * @module
 */

import { LayerfsError, printable } from "../errors.ts";
import { applyLayers } from "../layer/apply_layers.ts";
import { packChanges } from "../layer/pack_changes.ts";
import type { Traits } from "../layer/traits.ts";
import {
  type Change,
  type ChangeKind,
  type TreeChanges,
  treeChanges,
} from "../layer/tree_changes.ts";
import { type Contradiction, mergeTrees, type Side } from "../layer/tree_merge.ts";
import type { RawNames } from "../core/raw_name.ts";
import type { ContainerRootfs } from "../store/driver.ts";
import type { Work } from "../store/work.ts";
import type { Store } from "../store/store.ts";
import { legible } from "./diff.ts";

/** How conflicts are settled: for the container, for the new image, or not at all. */
export type Settlement = Side | "fail";

/** A path that the container and the new image have both changed, as `rebase --json` prints it. */
export interface RebaseConflict {
  /** Absolute, in the container; bytes that are not UTF-8 as `\xNN`. */
  readonly path: string;
  /** What the container did there. */
  readonly ours: ChangeKind;
  /** What the new image did there. */
  readonly theirs: ChangeKind;
  /** Whose state the container has now. */
  readonly settled: Side;
}

/** What a tree was made of. */
export interface MergedTree {
  /** Paths that both had changed. */
  readonly conflicts: readonly RebaseConflict[];
  /** Changes that were made to the new image's tree. */
  readonly applied: number;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** The three trees, all mounted. */
export interface RebaseTrees {
  /** Absolute path of what the container began as. */
  readonly base: string;
  readonly container: ContainerRootfs;
  /** Absolute path of the new image's tree, to be changed. */
  readonly target: string;
  /** Of the new image's layers; null where nobody knows. */
  readonly traits: Traits | null;
}

/** Conflicts that a message names; the error's data have them all. */
const NAMED = 5;

/** Those of any tree: what costs time, and is never wrong. */
const ALL_TRAITS: Traits = { rawNames: true, fineTimes: true, directoryXattrs: true };

/**
 * Makes the container's changes to the new image's tree.
 *
 * @throws {LayerfsError} `conflict` for conflicts that are not to be settled, and where somebody
 * writes to the container meanwhile; `unsupported` for what cannot be settled for the container
 */
export async function rebaseTree(
  store: Store,
  trees: RebaseTrees,
  settlement: Settlement,
  work: Work,
): Promise<MergedTree> {
  const { base, container, target } = trees;
  await using staging = store.stage();
  const options = { scratch: staging.path, signal: work.signal };
  const compare = async () => {
    const candidates = await store.driver.changedPaths(container);
    return await treeChanges(base, container.rootfs, candidates, options);
  };
  const changes = await compare();
  const merge = await mergeTrees(changes, target, options);
  const side = settle(merge.contradictions, settlement, changes.names, container.id);
  const merged = merge.settle(side);
  const warnings = await applyChanges(merged, trees, staging.path, work);
  refuseWritten(changes, await compare(), container.id);
  return {
    conflicts: merge.contradictions.map((found) => conflictOf(found, side, changes.names)),
    applied: merged.changes.length,
    warnings,
  };
}

/** Whose state stays; refuses where nobody's may. */
function settle(
  contradictions: readonly Contradiction[],
  settlement: Settlement,
  names: RawNames,
  id: string,
): Side {
  const action = `Cannot rebase container "${id}"`;
  const blocked = contradictions.find(({ blockedBy }) => blockedBy !== null);
  if (settlement === "ours" && blocked !== undefined) {
    const path = `/${legible(blocked.blockedBy!, names)}`;
    throw new LayerfsError(
      "unsupported",
      `${action}: "${path}" is a directory in the container, with changes below, and no directory ` +
        "in the new image; move what is to be kept to another place, or use --theirs",
      { id, path },
    );
  }
  if (settlement !== "fail") return settlement;
  if (contradictions.length === 0) return "ours";
  const rows = contradictions.map(({ path, ours, theirs }) => {
    return { path: `/${legible(path, names)}`, ours, theirs };
  });
  const named = rows.slice(0, NAMED).map(({ path }) => `"${printable(path)}"`).join(", ");
  const more = rows.length > NAMED ? `, and ${rows.length - NAMED} more` : "";
  throw new LayerfsError(
    "conflict",
    `${action}: it and the new image have both changed ${named}${more}; settle that with --ours ` +
      "(the container's) or --theirs (the new image's)",
    { id, conflicts: rows },
  );
}

function conflictOf(
  { path, ours, theirs }: Contradiction,
  settled: Side,
  names: RawNames,
): RebaseConflict {
  return { path: `/${legible(path, names)}`, ours, theirs, settled };
}

/** Makes changes to a tree, by way of a layer. */
async function applyChanges(
  merged: TreeChanges,
  { target, traits }: RebaseTrees,
  scratch: string,
  { engine, signal }: Work,
): Promise<readonly string[]> {
  if (merged.changes.length === 0) return [];
  const path = `${scratch}/changes`;
  const how = { algorithm: "sha256", engine, level: 0, scratch, signal } as const;
  const packed = await packChanges(merged, path, { ...how, leavesParents: true });
  const { digest, size, diffId } = packed;
  const layer = { digest, size, diffId, content: { path, offset: 0, length: size } };
  const job = {
    root: target,
    scratch,
    asRoot: Deno.uid() === 0,
    traits: traits ?? ALL_TRAITS,
    onTop: true,
    layers: [layer],
    engine,
  };
  const { warnings } = await applyLayers(job, signal, () => {});
  return [...packed.warnings, ...warnings];
}

/** What was written after the first look is in no tree but the one that is about to go. */
function refuseWritten(one: TreeChanges, other: TreeChanges, id: string): void {
  const before = new Map(one.changes.map((change) => [change.path, change]));
  const changed = other.changes.find((change) => {
    const known = before.get(change.path);
    before.delete(change.path);
    return known === undefined || !isSame(known, change);
  })?.path ?? before.keys().next().value;
  if (changed === undefined) return;
  const path = `/${legible(changed, other.names)}`;
  throw new LayerfsError(
    "conflict",
    `Cannot rebase container "${id}": "${path}" was written to meanwhile; stop what writes to it, ` +
      "and try again",
    { id, path },
  );
}

/** As exactly as Deno tells times, which find, where a tree is read by it, does better. */
function isSame(one: Change, other: Change): boolean {
  const [a, b] = [one.after, other.after];
  if (one.kind !== other.kind || a === null || b === null) return a === b;
  return a.kind === b.kind && a.inode === b.inode && a.mode === b.mode && a.uid === b.uid &&
    a.gid === b.gid && (a.kind === "directory" || a.size === b.size) &&
    a.ctime / 1_000_000_000n === b.ctime / 1_000_000_000n;
}
