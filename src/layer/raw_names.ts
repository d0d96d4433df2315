/**
 * Names that are not UTF-8, which Deno cannot say.
 *
 * While a tree is made, a token stands for such a name (see core/raw_name.ts). At the end mv(1)
 * gives each file its real name: it takes the bytes from xargs(1), which takes them from its input.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { isInterrupted, runSync } from "../process.ts";
import { joinRelative, lstatOrNull } from "./root_path.ts";
import { writeAll } from "./special_files.ts";

export class RawNames {
  readonly #root: string;
  readonly #scratch: string;
  /** Tokens by the directory they are in, and the bytes they stand for. */
  readonly #children = new Map<string, Map<string, Uint8Array>>();
  /** All tokens, of this layer and those below, and the bytes they stand for. */
  readonly #names = new Map<string, Uint8Array>();
  /** Targets of symlinks, with tokens in them, which Deno could not read from the filesystem. */
  readonly #targets = new Map<string, string>();

  constructor(root: string, scratch: string) {
    this.#root = root;
    this.#scratch = scratch;
  }

  /** Whether any name has been noted. */
  get isEmpty(): boolean {
    return this.#children.size === 0;
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

  /** Notes that the symlink `path` has a target that is not UTF-8, as tokens stand for it. */
  noteLink(path: string, target: string): void {
    this.#targets.set(path, target);
  }

  /** Forgets what {@linkcode noteLink} noted at and below `path`, as all of that is gone. */
  forgetLinks(path: string): void {
    for (const link of this.#targets.keys()) {
      if (link === path || link.startsWith(`${path}/`)) this.#targets.delete(link);
    }
  }

  /** The target that {@linkcode noteLink} noted. */
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
      parts.push(encoder.encode(`${from}\0`), directory, bytes, new Uint8Array(1));
    }
    if (parts.length > 0) this.#move(parts);
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
