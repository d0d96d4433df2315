/**
 * The files of an image layout in a directory. Nothing in it is followed out of it: the files, and
 * the directories they are in, must be what they are called.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { LayoutFiles } from "./layout_files.ts";

/** A layout directory. */
export class LayoutDirectory implements LayoutFiles {
  /** As the user named it. */
  readonly path: string;
  /** Without symlinks: those of the path that the user named are the user's own choice. */
  readonly #root: string;

  /** @throws {LayerfsError} `not-found`, or `image-invalid` where `path` is no directory */
  constructor(path: string) {
    this.path = path;
    const action = `Cannot open image layout "${path}"`;
    try {
      this.#root = Deno.realPathSync(path);
      if (Deno.statSync(this.#root).isDirectory) return;
    } catch (error) {
      throw storageError(error, action);
    }
    throw new LayerfsError(
      "image-invalid",
      `${action}: it is not a directory; an archive is named by oci-archive:FILE`,
      { path },
    );
  }

  locate(name: string): BlobLocation | null {
    const parts = name.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const directory = parts.slice(0, depth).join("/");
      const stat = this.#stat(directory);
      if (stat === null) return null;
      // A symlink here could name any directory of the host.
      if (!stat.isDirectory) throw this.#wrong(directory, "a directory");
    }
    const stat = this.#stat(name);
    if (stat === null) return null;
    if (!stat.isFile) throw this.#wrong(name, "a regular file");
    return { path: `${this.#root}/${name}`, offset: 0, length: stat.size };
  }

  #stat(name: string): Deno.FileInfo | null {
    try {
      return Deno.lstatSync(`${this.#root}/${name}`);
    } catch (error) {
      if (errnoName(error) === "ENOENT") return null;
      throw storageError(error, `Cannot read image layout "${this.path}": "${name}"`);
    }
  }

  #wrong(name: string, expected: string): LayerfsError {
    return new LayerfsError(
      "image-invalid",
      `Cannot read image layout "${this.path}": "${name}" is not ${expected}`,
      { path: name },
    );
  }
}
