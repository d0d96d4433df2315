/**
 * Attributes of directories, which wait until their tree is complete: what is written into a
 * directory changes its time, and a mode of 0555 would keep an ordinary user out of it.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { MAX_DIRECTORY_CHARACTERS } from "../limits.ts";
import { type Attributes, isSettableTime, setTime } from "./attributes.ts";
import { removeOtherXattrs } from "./directory_xattrs.ts";
import type { RawNames } from "./raw_names.ts";
import { absolutePath } from "./root_path.ts";
import type { TarSpool } from "./tar_spool.ts";

/** Mode of a directory while its tree is being made. */
export const WORKING_MODE = 0o700;

/** A directory that we know of: unless it is "below", it will get its attributes at the end. */
interface Directory {
  readonly attributes: Attributes;
  /**
   * Made by us, of the layers below as it was, or of those with attributes that replace its own.
   * "below" is one that nothing was done to.
   */
  readonly origin: "made" | "lower" | "replaced" | "below";
}

/** Where they are set, and by whom. */
export interface DirectoriesPlace {
  readonly root: string;
  /** A directory of our own on any filesystem. */
  readonly scratch: string;
  /** Whether owners can be set. */
  readonly asRoot: boolean;
  readonly spool: TarSpool;
  readonly rawNames: RawNames;
}

/** The directories of a tree, by their paths. */
export class Directories {
  readonly #place: DirectoriesPlace;
  readonly #directories = new Map<string, Directory>();
  /** Characters of the paths of those that were made, and may be gone again. */
  #characters = 0;

  constructor(place: DirectoriesPlace) {
    this.#place = place;
  }

  has(path: string): boolean {
    return this.#directories.has(path);
  }

  /** What a directory of the layers below has, that nothing was done to; null for any other. */
  below(path: string): Attributes | null {
    const directory = this.#directories.get(path);
    return directory?.origin === "below" ? directory.attributes : null;
  }

  /** What each of them has, or will have. */
  *attributes(): Generator<[path: string, attributes: Attributes]> {
    for (const [path, { attributes }] of this.#directories) yield [path, attributes];
  }

  /** Notes one that we have made. @throws {LayerfsError} `image-invalid` where there are too many */
  addMade(path: string, attributes: Attributes): void {
    this.#characters += path.length;
    if (this.#characters > MAX_DIRECTORY_CHARACTERS) {
      throw new LayerfsError(
        "image-invalid",
        `its directories have paths of more than ${MAX_DIRECTORY_CHARACTERS} characters together`,
      );
    }
    this.#directories.set(path, { attributes, origin: "made" });
  }

  /** Notes what one that was there before us has, and keeps as long as nothing is done to it. */
  addBelow(path: string, attributes: Attributes): void {
    this.#directories.set(path, { attributes, origin: "below" });
  }

  /** Notes what one that was there before us has, and that it is changed now. */
  addLower(path: string, attributes: Attributes): void {
    this.#directories.set(path, { attributes, origin: "lower" });
  }

  /** Replaces what a directory will have. */
  replace(path: string, attributes: Attributes): void {
    const origin = this.#directories.get(path)?.origin === "made" ? "made" : "replaced";
    this.#directories.set(path, { attributes, origin });
  }

  /** Forgets those at and below `path`, as they are gone. */
  forget(path: string): void {
    for (const known of this.#directories.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#directories.delete(known);
    }
  }

  /**
   * Gives every directory its attributes, and every file its real name.
   *
   * @param haveXattrs whether those of the layers below may have xattrs that theirs replace
   */
  apply(haveXattrs: boolean): void {
    const { rawNames } = this.#place;
    if (haveXattrs) this.#removeReplacedXattrs();
    // A child's path sorts behind its parent's: children first, as a parent may bar the way.
    const paths = [...this.#directories.keys()]
      .filter((path) => this.below(path) === null)
      .sort()
      .reverse();
    const within = (path: string) => !rawNames.isEmpty && rawNames.isBelowToken(path);
    for (const path of paths.filter(within)) {
      rawNames.rename(path);
      this.#set([path]);
    }
    const others = paths.filter((path) => !within(path));
    for (const path of others) rawNames.rename(path);
    this.#set(others);
  }

  #removeReplacedXattrs(): void {
    const replaced = [...this.#directories].filter(([, { origin }]) => origin === "replaced");
    if (replaced.length === 0) return;
    const attributes = replaced.map(([path, directory]) => [path, directory.attributes] as const);
    removeOtherXattrs(this.#place.root, this.#place.scratch, new Map(attributes));
  }

  /** Sets the attributes of directories, children before parents. */
  #set(paths: readonly string[]): void {
    const { root, asRoot, spool } = this.#place;
    const attributesOf = (path: string) => this.#directories.get(path)!.attributes;
    const byTar = new Set(paths.filter((path) => needsTar(attributesOf(path))));
    for (const path of byTar) {
      const attributes = attributesOf(path);
      spool.addDirectory(path, { ...attributes, mode: attributes.mode | WORKING_MODE });
    }
    spool.flush();
    for (const path of paths) {
      const attributes = attributesOf(path);
      const absolute = absolutePath(root, path);
      if (!byTar.has(path) && asRoot) {
        fs.lchownSync(absolute, attributes.uid, attributes.gid);
      }
      fs.chmodSync(absolute, attributes.mode);
      if (!byTar.has(path)) setTime(absolute, attributes.mtime);
    }
  }
}

/** Whether a directory has what only tar can set. */
function needsTar(attributes: Attributes): boolean {
  return attributes.xattrs !== null || !isSettableTime(attributes.mtime);
}
