/**
 * The files of a source, by name, as the validator looks at them: also those that nothing names.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { lstatOrNull } from "../files.ts";
import { Archive } from "../source/archive.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import type { LayoutFiles } from "../source/layout_files.ts";
import { storageError } from "../system_error.ts";

/** A layout or archive. */
export interface View {
  readonly files: LayoutFiles;
  /** Names of all files, directories left out. */
  readonly names: readonly string[];
  /** Whether there is a directory of this name. */
  hasDirectory(name: string): boolean;
}

/** Where a file is, or why it cannot be read; null where there is none. */
export type Located =
  | { readonly location: BlobLocation }
  | { readonly problem: string }
  | null;

/** Deeper than `blobs/ALGORITHM/ENCODED` nothing of a layout lies. */
const LAYOUT_DEPTH = 3;

/**
 * The files of a layout directory.
 *
 * @throws {LayerfsError} `not-found`, or `image-invalid` where it is no directory
 */
export function viewDirectory(path: string): View {
  return {
    files: new LayoutDirectory(path),
    names: listDirectory(path),
    hasDirectory: (name) => lstatOrNull(`${path}/${name}`)?.isDirectory === true,
  };
}

/**
 * The members of an archive.
 *
 * @throws {LayerfsError} `not-found`, `image-invalid` or `unsupported`
 */
export function viewArchive(path: string): View {
  const archive = new Archive(path);
  const names = archive.names();
  // Programs write archives with or without members for the directories.
  return {
    files: archive,
    names,
    hasDirectory: (name) =>
      (archive.has(name) && !names.includes(name)) ||
      names.some((member) => member.startsWith(`${name}/`)),
  };
}

/** All files of a directory to the depth of a layout, links not followed. */
function listDirectory(path: string): readonly string[] {
  const names: string[] = [];
  const list = (prefix: string, depth: number): void => {
    for (const entry of readDirectory(prefix === "" ? path : `${path}/${prefix}`)) {
      const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory && depth < LAYOUT_DEPTH) list(name, depth + 1);
      // A directory in the place of a blob is a blob that is wrong.
      else if (!entry.isDirectory || prefix.startsWith("blobs/")) names.push(name);
    }
  };
  list("", 1);
  return names.sort();
}

function readDirectory(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    throw storageError(error, `Cannot list "${path}"`);
  }
}
