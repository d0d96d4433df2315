/**
 * Packs what makes one tree another one into a layer: applied on top of the one, it gives the other,
 * entry for entry.
 *
 *     whiteouts       what is gone; one opaque mark where all is that a directory had
 *     files           what is new or changed, by tar, with all directories above
 *     hard links      more names of files that the layers below have, or that were packed
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { decodeName } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { encodeHeader, endOfArchive } from "../tar/header.ts";
import { listOptions, writeList } from "./fingerprints.ts";
import { type LinkPlan, planLinks } from "./link_plan.ts";
import { type PackedLayer, packMembers, type PackOptions } from "./pack.ts";
import { joinRelative, nameOf, parentOf } from "./root_path.ts";
import type { TreeChanges } from "./tree_changes.ts";
import { type SeenFile, TreeView } from "./tree_view.ts";

/** What a whiteout's name begins with, and that of an opaque mark (image-spec, layer.md). */
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/** Nanoseconds. */
const SECOND = 1_000_000_000n;
const MILLISECOND = 1_000_000n;

/** Sockets that a warning names. */
const NAMED = 3;

/** How changes are packed. */
export interface PackChangesOptions extends PackOptions {
  /** Absolute path of a directory for the list of names. */
  readonly scratch: string;
  /**
   * Leaves directories above a change out that the layers below have: who applies the layer then
   * keeps their attributes.
   */
  readonly leavesParents?: boolean;
}

/**
 * Packs `changes` into the new file `path`.
 *
 * @throws {LayerfsError} `conflict` where somebody wrote to a file that was packed; what comes anew
 * after the comparison is not in the layer. Else as `packTree`
 */
export async function packChanges(
  changes: TreeChanges,
  path: string,
  options: PackChangesOptions,
): Promise<PackedLayer> {
  const { after, names } = changes;
  const action = `Cannot pack the changes of "${after.root}"`;
  const { files, links } = planMembers(changes, options.leavesParents ?? false);
  const list = `${options.scratch}/members-${crypto.randomUUID()}`;
  writeList(list, files, names);
  const packed = await packMembers(
    {
      root: after.root,
      names: listOptions(list),
      before: Buffer.concat(whiteouts(changes)),
      after: Buffer.concat([
        ...links.map((link) => encodeLink(link, changes, options.latest)),
        endOfArchive(),
      ]),
      action,
      mayChange: true, // refuseWritten
    },
    path,
    options,
  );
  refuseWritten(files, changes, action);
  const sockets = [...changes.ignored];
  if (sockets.length === 0) return packed;
  const named = sockets.slice(0, NAMED).map((path) => `"${path}"`).join(", ");
  const more = sockets.length > NAMED ? `, and ${sockets.length - NAMED} more` : "";
  const warning = `left out what no layer can have: ${named}${more}`;
  return { ...packed, warnings: [...packed.warnings, warning] };
}

/** What tar packs, parents first, and what but links to something else. */
function planMembers(changes: TreeChanges, leavesParents: boolean): {
  readonly files: readonly string[];
  readonly links: LinkPlan["links"];
} {
  const { repacked, links } = planLinks(changes);
  const linked = new Set(links.map(({ path }) => path));
  const files = new Set([...repacked].filter((path) => !linked.has(path)));
  for (const { path, after } of changes.changes) {
    if (after !== null && !linked.has(path)) files.add(path);
  }
  const touched = [...files, ...linked, ...changes.changes.map(({ path }) => path)];
  for (const path of touched) {
    for (let parent = path; parent !== "" && !files.has(parent = parentOf(parent));) {
      if (leavesParents && changes.before.stat(parent)?.kind === "directory") break;
      files.add(parent);
    }
  }
  const bytes = (path: string) => decodeName(path, changes.names)!;
  const keyed = [...files].map((path) => [bytes(path), path] as const);
  return { files: keyed.sort(([a], [b]) => Buffer.compare(a, b)).map(([, path]) => path), links };
}

/** The entries for what is gone. */
function whiteouts({ changes, before, names }: TreeChanges): Uint8Array[] {
  const gone = new Map<string, string[]>();
  for (const { kind, path } of changes) {
    if (kind !== "D") continue;
    const parent = parentOf(path);
    gone.set(parent, [...gone.get(parent) ?? [], nameOf(path)]);
  }
  return [...gone].flatMap(([parent, children]) => {
    const isAll = children.length > 1 && children.length === before.children(parent).length;
    const marks = isAll ? [OPAQUE] : children.map((name) => {
      return Buffer.concat([Buffer.from(WHITEOUT), decodeName(name, names)!]);
    });
    const directory = decodeName(joinRelative(parent, ""), names)!;
    return marks.map((mark) => {
      return encodeHeader({
        type: "file",
        path: Buffer.concat([directory, Buffer.from(mark)]),
        mode: 0o600,
      });
    });
  });
}

/** Its attributes are those of the target, which whoever applies a link may set once more. */
function encodeLink(
  { path, target }: LinkPlan["links"][number],
  { after, names }: TreeChanges,
  latest: number | undefined,
): Uint8Array {
  const { mode, uid, gid, ...file } = after.stat(path)!;
  const limit = latest === undefined ? file.mtime : BigInt(latest) * SECOND;
  const mtime = file.mtime < limit ? file.mtime : limit;
  const nanoseconds = (mtime % SECOND + SECOND) % SECOND;
  const isRoot = Deno.uid() === 0;
  return encodeHeader({
    type: "hardlink",
    path: decodeName(path, names)!,
    linkPath: decodeName(target, names)!,
    mode,
    uid: isRoot ? uid : 0, // as tar writes an ordinary user's files
    gid: isRoot ? gid : 0,
    mtime: {
      seconds: Number((mtime - nanoseconds) / SECOND),
      nanoseconds: Number(nanoseconds),
    },
  });
}

/** A file that changed while it was packed may be half the one, half the other. */
function refuseWritten(
  files: readonly string[],
  { after, names }: TreeChanges,
  action: string,
): void {
  const now = new TreeView(after.root, names);
  const changed = files.find((path) => !isSame(after.stat(path), now.stat(path)));
  if (changed === undefined) return;
  throw new LayerfsError(
    "conflict",
    `${action}: "/${changed}" was written to meanwhile; stop the container, and try again`,
    { path: changed },
  );
}

/** As exactly as Deno tells times: a write that began later has another one. */
function isSame(one: SeenFile | null, other: SeenFile | null): boolean {
  return one !== null && other !== null && one.inode === other.inode &&
    one.size === other.size && one.ctime / SECOND === other.ctime / SECOND &&
    one.mtime / MILLISECOND === other.mtime / MILLISECOND;
}
