/**
 * Takes from directories the extended attributes that what replaces them does not have: "directory
 * over directory replaces its attributes" (image-spec, layer.md), all of them.
 *
 * tar, which sets attributes, removes none; a directory made anew would have to take its children
 * over by rename(2), which overlayfs refuses for directories of lower layers (EXDEV). So setfattr(1)
 * of the package `attr` removes them. To run it only where there is one to remove, which is rare,
 * the names are read from an archive of tar's, which is there anyway.
 *
 * @module
 */

import fs from "node:fs";
import { type TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { check, isInterrupted, type RunResult, runSync } from "../process.ts";
import type { Attributes } from "./attributes.ts";
import { absolutePath } from "./root_path.ts";

/** Labels that a security module of the kernel gives every file by itself. */
const LABEL = /^security\.(?:selinux|SMACK64)/;

/** Paths for one setfattr: at most 4 KiB each, and arguments can be 2 MiB (ARG_MAX). */
const PATHS_AT_ONCE = 200;

const ACTION = "Cannot replace extended attributes of directories";

/**
 * Removes from `directories`, by path in `root`, the xattrs that their attributes do not name.
 *
 * @param scratch a directory for a list of paths
 * @throws {LayerfsError} `program-missing` where setfattr is needed and not there
 */
export function removeOtherXattrs(
  root: string,
  scratch: string,
  directories: ReadonlyMap<string, Attributes>,
): void {
  const paths = [...directories.keys()];
  const found = readXattrNames(root, scratch, paths);
  const superfluous = new Map<string, string[]>();
  paths.forEach((path, i) => {
    for (const name of found[i] ?? []) {
      if (LABEL.test(name) || directories.get(path)?.xattrs?.has(name)) continue;
      superfluous.set(name, [...superfluous.get(name) ?? [], absolutePath(root, path)]);
    }
  });
  for (const [name, owners] of superfluous) {
    for (let i = 0; i < owners.length; i += PATHS_AT_ONCE) {
      const some = owners.slice(i, i + PATHS_AT_ONCE);
      checked(runSync("setfattr", ["--no-dereference", `--remove=${name}`, "--", ...some]));
    }
  }
}

/** The names of the xattrs of each directory, in the order of `paths`. */
function readXattrNames(root: string, scratch: string, paths: readonly string[]): string[][] {
  const list = `${scratch}/directories`;
  fs.writeFileSync(list, paths.map((path) => `./${path}\0`).join(""), { flag: "wx", mode: 0o600 });
  const result = runSync("tar", [
    "--create",
    "--file=-",
    "--format=posix",
    "--no-recursion",
    "--null",
    `--files-from=${list}`,
    "--xattrs",
    "--xattrs-include=*",
  ], root);
  // 1: a file changed meanwhile. tar finds that on overlayfs, by sizes of directories that differ.
  const { bytes } = checked(result.code === 1 ? { ...result, code: 0 } : result);
  fs.unlinkSync(list);
  const names: string[][] = [];
  const visitor = {
    entry: (entry: TarEntry) => void names.push([...entry.xattrs?.keys() ?? []]),
    data: () => {},
    end: () => {},
  };
  const scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  scanner.write(bytes, visitor);
  scanner.end(visitor);
  if (names.length === paths.length) return names;
  throw new LayerfsError("storage", `${ACTION}: tar saw ${names.length} of ${paths.length}`);
}

function checked(result: RunResult): RunResult {
  if (isInterrupted(result.code)) throw new LayerfsError("interrupted", `${ACTION}: interrupted`);
  return check(result, ACTION, "storage");
}
