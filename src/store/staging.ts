/**
 * Where things are made before they are renamed into place.
 *
 *     staging/1f0c….lock       held (flock) by the process that works there
 *     staging/1f0c…/           what is being made, or being removed
 *     staging/1f0c…/elsewhere  path of a second directory, on the filesystem where the result goes
 *
 * A process that dies leaves litter here and nowhere else. Whoever opens the store next sweeps
 * what nobody holds.
 *
 * @module
 */

import fs from "node:fs";
import { FileLock } from "./lock.ts";
import { removeTree } from "./remove_tree.ts";

/** Name of the file that names the second directory. */
const ELSEWHERE = "elsewhere";

/** A staging directory of this process, until it is disposed of. */
export class Staging implements AsyncDisposable {
  /** Absolute path; mode 0700. */
  readonly path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Makes one below `parent`, the store's staging directory. */
  static create(parent: string): Staging {
    const name = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    const lock = FileLock.create(`${parent}/${name}.lock`);
    fs.mkdirSync(`${parent}/${name}`, 0o700);
    return new Staging(`${parent}/${name}`, lock);
  }

  /**
   * Makes a second directory beside `destination`, so that it can be renamed to it; mode 0700.
   *
   * @returns its absolute path
   */
  besides(destination: string): string {
    const slash = destination.lastIndexOf("/");
    const path = `${destination.slice(0, slash)}/.layerfs-${this.path.split("/").pop()}`;
    fs.writeFileSync(`${this.path}/${ELSEWHERE}`, path, { mode: 0o600 });
    fs.mkdirSync(path, 0o700);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeStaging(this.path);
    this.#lock.remove();
  }
}

/**
 * Removes what dead processes have left below `parent`.
 *
 * @returns the paths that were swept
 */
export async function sweepStaging(parent: string): Promise<string[]> {
  const swept: string[] = [];
  for (const name of fs.readdirSync(parent)) {
    if (!name.endsWith(".lock")) continue;
    const lock = FileLock.tryExisting(`${parent}/${name}`);
    if (lock === null) continue;
    const path = `${parent}/${name.slice(0, -".lock".length)}`;
    await removeStaging(path);
    lock.remove();
    swept.push(path);
  }
  return swept;
}

async function removeStaging(path: string): Promise<void> {
  if (fs.existsSync(`${path}/${ELSEWHERE}`)) {
    await removeTree(fs.readFileSync(`${path}/${ELSEWHERE}`, "utf8"));
  }
  await removeTree(path);
}
