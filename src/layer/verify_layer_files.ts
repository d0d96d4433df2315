/**
 * The files of a layer's tree, for reading alone. No path leads through a symlink, and nothing but
 * a regular file is opened. Nobody else may change the tree meanwhile.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { openRegularFile } from "../blob/location.ts";
import { decodeName, hasRawName, type RawNames } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";
import { check, isInterrupted, runSync } from "../process.ts";
import { storageError } from "../system_error.ts";
import { statsOrNull } from "./file_kind.ts";
import { absolutePath, parentOf } from "./root_path.ts";

export class TreeFiles {
  readonly #root: string;
  readonly #scratch: string;
  readonly #names: RawNames;
  /** Paths that are real directories, as are all above them. */
  readonly #directories = new Set([""]);

  /**
   * @param root absolute
   * @param scratch a directory of our own, for copies of files whose names Deno cannot say
   * @param names what the tokens in paths stand for
   */
  constructor(root: string, scratch: string, names: RawNames) {
    this.#root = root;
    this.#scratch = scratch;
    this.#names = names;
  }

  /** lstat(2) of a path without tokens; null where nothing is, or not in a real directory. */
  stat(path: string): fs.Stats | null {
    if (!this.#isDirectory(parentOf(path))) return null;
    return statsOrNull(absolutePath(this.#root, path));
  }

  /** The names in a directory. Those that are not UTF-8 are left out. */
  list(path: string): string[] {
    try {
      const names = fs.readdirSync(absolutePath(this.#root, path));
      return names.filter((name) => !name.includes("\ufffd"));
    } catch (error) {
      throw storageError(error, `Cannot list "${path}"`);
    }
  }

  /** The target of a symlink; null where it is not UTF-8. */
  target(path: string): string | null {
    try {
      return fs.readlinkSync(absolutePath(this.#root, path));
    } catch {
      return null; // it is there and a symlink, as its lstat said
    }
  }

  /**
   * Opens a regular file; the caller closes it.
   *
   * @throws {LayerfsError} `not-found`, `image-invalid` where it is none, `privilege-missing`
   */
  open(path: string): Deno.FsFile {
    if (hasRawName(path)) return this.#openRaw(path);
    if (!this.#isDirectory(parentOf(path))) {
      throw new LayerfsError("not-found", `"${parentOf(path)}" is not a directory`);
    }
    return openRegularFile(absolutePath(this.#root, path)).file;
  }

  /**
   * A copy, which cp(1) makes for xargs(1): it is told the name as bytes. With --recursive, what is
   * no file is made anew, and not read.
   */
  #openRaw(path: string): Deno.FsFile {
    const bytes = decodeName(path, this.#names);
    if (bytes === undefined) throw new TypeError(`no name of ${path}`);
    const list = `${this.#scratch}/raw-file`;
    const copy = `${this.#scratch}/raw-copy`;
    const encoder = new TextEncoder();
    const [head, tail] = [encoder.encode(`${this.#root}/`), encoder.encode(`\0${copy}\0`)];
    fs.writeFileSync(list, Buffer.concat([head, bytes, tail]), { flag: "wx" });
    try {
      const result = runSync("xargs", [
        "--null",
        `--arg-file=${list}`,
        "cp",
        "--recursive",
        "--no-dereference",
        "--no-target-directory",
        "--",
      ]);
      if (isInterrupted(result.code)) {
        throw new LayerfsError("interrupted", "Cannot read files: interrupted");
      }
      const isMissing = result.stderr.includes("No such file or directory");
      check(result, "cannot be read", isMissing ? "not-found" : "storage");
      return openRegularFile(copy).file;
    } finally {
      fs.rmSync(list, { force: true });
      fs.rmSync(copy, { recursive: true, force: true });
    }
  }

  #isDirectory(path: string): boolean {
    if (this.#directories.has(path)) return true;
    if (!this.#isDirectory(parentOf(path))) return false;
    const isDirectory = lstatOrNull(absolutePath(this.#root, path))?.isDirectory ?? false;
    if (isDirectory) this.#directories.add(path);
    return isDirectory;
  }
}
