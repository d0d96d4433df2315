/**
 * Where things are made before they get their names.
 *
 *     staging/1f0c….lock       held (flock) by the process that works there
 *     staging/1f0c…/           what is being made, or being removed
 *     staging/1f0c…/claim.json the container that is (see claim.ts)
 *
 * A driver may keep something of the same name elsewhere: a dataset, a mount. A process that dies
 * leaves litter under that name and no other. Whoever opens the store next sweeps what nobody holds.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { lstatOrNull, namesIn } from "../files.ts";
import { FileLock } from "./lock.ts";
import { mountsBelow } from "./mounts.ts";
import { removeTree } from "./remove_tree.ts";

/** Name of the file that says which container is made or removed (see claim.ts). */
export const CLAIM_FILE = "claim.json";

/** Ending of a lock's name. */
const LOCK = ".lock";

/** A staging directory of this process, until it is disposed of. */
export class Staging implements AsyncDisposable {
  /** 16 hex digits. */
  readonly name: string;
  /** Absolute path; mode 0700. */
  readonly path: string;
  readonly #lock: FileLock;

  private constructor(name: string, path: string, lock: FileLock) {
    this.name = name;
    this.path = path;
    this.#lock = lock;
  }

  /** Makes one below `parent`, the store's staging directory. */
  static create(parent: string): Staging {
    const name = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    const path = `${parent}/${name}`;
    const lock = FileLock.create(path + LOCK);
    try {
      Deno.mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      lock.remove();
      throw error;
    }
    return new Staging(name, path, lock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // A container that could not be discarded: the next sweep needs the claim to try again.
      if (lstatOrNull(`${this.path}/${CLAIM_FILE}`) !== null) return;
      await removeTree(this.path);
      this.#lock.remove();
    } finally {
      // What could not be removed is litter: without its lock, the next sweep tries again.
      this.#lock[Symbol.dispose]();
    }
  }
}

/** Frees what belongs to a staging directory and is not in it. */
export type Free = (name: string, path: string) => Promise<void>;

/**
 * Removes what dead processes have left below `parent`. What cannot be removed now, because it is
 * in use, say, stays for a later sweep and is in nobody's way.
 *
 * @returns the names that were swept
 */
export async function sweepStaging(parent: string, free: Free): Promise<string[]> {
  const swept: string[] = [];
  for (const name of deadStaging(parent)) {
    try {
      if (await sweepOne(parent, name, free)) swept.push(name);
    } catch (error) {
      if (!(error instanceof LayerfsError) || error.code === "interrupted") throw error;
    }
  }
  return swept;
}

/**
 * Removes what one dead process has left.
 *
 * @returns false where it does not belong to the dead any more, or something is mounted in it
 * @throws {LayerfsError} why it cannot be removed now
 */
export async function sweepOne(parent: string, name: string, free: Free): Promise<boolean> {
  using lock = FileLock.tryExisting(`${parent}/${name}${LOCK}`);
  if (lock === null) return false;
  const path = `${parent}/${name}`;
  await free(name, path);
  // Whatever is still mounted there is not ours, and must not be removed with its directory.
  if (lstatOrNull(path) !== null && (await mountsBelow(Deno.realPathSync(path))).length > 0) {
    return false;
  }
  await removeTree(path);
  lock.remove();
  return true;
}

/** Names of what dead processes have left below `parent`. */
export function deadStaging(parent: string): string[] {
  return namesIn(parent)
    .filter((name) => name.endsWith(LOCK))
    .filter((name) => {
      using lock = FileLock.tryExisting(`${parent}/${name}`);
      return lock !== null;
    })
    .map((name) => name.slice(0, -LOCK.length))
    .sort();
}
