/**
 * Names that are not UTF-8, which Deno cannot say.
 *
 * While a tree is made, a token stands for such a name (see core/raw_name.ts). At the end mv(1)
 * gives each file its real name: it takes the bytes from xargs(1), which takes them from its input.
 * Files of the layers below, which have theirs, get tokens first in the same way.
 *
 * @module
 */

import fs from "node:fs";
import { decodeName, encodeName } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";
import { isInterrupted, runSync } from "../process.ts";
import type { LowerTree } from "./lower_tree.ts";
import { joinRelative, nameOf, parentOf } from "./root_path.ts";
import { writeAll } from "./write_all.ts";

export class RawNames {
  readonly #root: string;
  readonly #scratch: string;
  /** Tokens by the directory they are in, and the bytes they stand for. */
  readonly #children = new Map<string, Map<string, Uint8Array>>();
  /** All tokens, of this layer and those below, and the bytes they stand for. */
  readonly #names = new Map<string, Uint8Array>();
  /** Targets of symlinks, with tokens in them, which Deno could not read from the filesystem. */
  readonly #targets = new Map<string, string>();
  /** Files that {@linkcode rename} has given their names, by their tokens. */
  readonly #named = new Set<string>();

  constructor(root: string, scratch: string) {
    this.#root = root;
    this.#scratch = scratch;
  }

  /** Whether any name has been noted. */
  get isEmpty(): boolean {
    return this.#children.size === 0;
  }

  /** Whether there are names that {@linkcode rename} has given, or symlinks that were noted. */
  get hasAny(): boolean {
    return this.#named.size > 0 || this.#targets.size > 0;
  }

  /** Gives the files of the layers below tokens for names, and notes what has to be known of them. */
  adopt(lower: Pick<LowerTree, "rawFiles" | "rawTargets" | "names">): void {
    const root = new TextEncoder().encode(`${this.#root}/`);
    const end = new Uint8Array(1);
    const parts: Uint8Array[] = [];
    for (const path of lower.rawFiles.toReversed()) { // children first: their parents move later
      const parent = parentOf(path);
      const token = nameOf(path);
      const directory = decodeName(joinRelative(parent, ""), lower.names);
      const name = lower.names.get(token);
      if (directory === undefined || name === undefined) throw new TypeError(`no name of ${path}`);
      parts.push(root, directory, name, end, root, directory, new TextEncoder().encode(token), end);
      this.note(parent, token, name);
    }
    if (parts.length > 0) this.#move(parts);
    for (const [path, target] of lower.rawTargets) this.noteLink(path, target);
  }

  /** Notes the same, but leaves the files their names: nobody will ask for those. */
  keep(
    { rawFiles, rawTargets, names }: Pick<LowerTree, "rawFiles" | "rawTargets" | "names">,
  ): void {
    for (const path of rawFiles) this.#named.add(path);
    for (const [token, bytes] of names) this.#names.set(token, bytes);
    for (const [path, target] of rawTargets) this.noteLink(path, target);
  }

  /** Notes that `token` in the directory `parent` stands for the name `bytes`. */
  note(parent: string, token: string, bytes: Uint8Array): void {
    const children = this.#children.get(parent) ?? new Map<string, Uint8Array>();
    this.#children.set(parent, children.set(token, bytes));
    this.#names.set(token, bytes);
  }

  /** Teaches the scanner of a layer the tokens of those below: a path of theirs may be seen. */
  teach(table: Map<string, Uint8Array>): void {
    for (const [token, bytes] of this.#names) table.set(token, bytes);
  }

  /** Notes that the symlink `path` has a target that tokens stand for, or are part of: `bytes`. */
  noteLink(path: string, bytes: Uint8Array): void {
    this.#targets.set(path, encodeName(bytes, this.#names));
  }

  /** Notes that the symlink `path` is another name of `other`. */
  copyLink(other: string, path: string): void {
    const target = this.#targets.get(other);
    if (target !== undefined) this.#targets.set(path, target);
  }

  /** Forgets what {@linkcode noteLink} noted at and below `path`, as all of that is gone. */
  forgetLinks(path: string): void {
    for (const link of this.#targets.keys()) {
      if (link === path || link.startsWith(`${path}/`)) this.#targets.delete(link);
    }
  }

  /** Forgets the names that {@linkcode keep} noted below `path`, as all of that is gone. */
  forgetNames(path: string): void {
    for (const name of this.#named) if (name.startsWith(`${path}/`)) this.#named.delete(name);
  }

  /** Symlinks whose targets were noted. */
  get links(): Iterable<string> {
    return this.#targets.keys();
  }

  /** The target that was noted, with tokens in it. */
  linkTarget(path: string): string | undefined {
    return this.#targets.get(path);
  }

  /** Whether a directory is at or below a token: it is out of reach once that has its real name. */
  isBelowToken(path: string): boolean {
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      const slash = path.lastIndexOf("/", end - 1);
      const parent = path.slice(0, Math.max(slash, 0));
      if (this.#children.get(parent)?.has(path.slice(slash + 1, end))) return true;
    }
    return false;
  }

  /** Gives the noted children of `parent` that are still there their real names. */
  rename(parent: string): void {
    const children = this.#children.get(parent);
    if (children === undefined) return;
    const parts: Uint8Array[] = [];
    const encoder = new TextEncoder();
    const directory = encoder.encode(`${this.#root}/${joinRelative(parent, "")}`);
    for (const [token, bytes] of children) {
      const from = `${this.#root}/${joinRelative(parent, token)}`;
      if (lstatOrNull(from) === null) continue;
      this.#named.add(joinRelative(parent, token));
      parts.push(encoder.encode(`${from}\0`), directory, bytes, new Uint8Array(1));
    }
    if (parts.length === 0) return;
    this.#move(parts);
  }

  /** What {@linkcode adopt} would have to know of a copy of the tree, which is complete. */
  named(): Pick<LowerTree, "rawFiles" | "rawTargets" | "names"> {
    const targets = [...this.#targets].map(([path, target]) => {
      const bytes = decodeName(target, this.#names);
      if (bytes === undefined) throw new TypeError(`no target of ${path}`);
      return [path, bytes] as const;
    });
    return {
      rawFiles: [...this.#named].sort(), // a child's path sorts behind its parent's
      rawTargets: new Map(targets),
      names: this.#names,
    };
  }

  #move(pairs: readonly Uint8Array[]): void {
    const list = `${this.#scratch}/raw-names`;
    const fd = fs.openSync(list, "wx", 0o600);
    try {
      let position = 0;
      for (const part of pairs) {
        writeAll(fd, part, position);
        position += part.length;
      }
    } finally {
      fs.closeSync(fd);
    }
    const { code, stderr } = runSync("xargs", [
      "--null",
      `--arg-file=${list}`,
      "--max-args=2",
      "mv",
      "--no-target-directory",
      "--",
    ]);
    fs.unlinkSync(list);
    if (code === 0) return;
    if (isInterrupted(code)) {
      throw new LayerfsError("interrupted", "Cannot name files: interrupted");
    }
    throw new LayerfsError("storage", `Cannot name files that are not UTF-8: ${stderr.trim()}`);
  }
}
