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
import { LayerfsError } from "../errors.ts";
import { FileLock } from "./lock.ts";
import { mountsBelow } from "./mounts.ts";
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
    try {
      fs.mkdirSync(`${parent}/${name}`, 0o700);
    } catch (error) {
      lock.remove();
      throw error;
    }
    return new Staging(`${parent}/${name}`, lock);
  }

  /**
   * Makes a second directory beside `destination`, so that it can be renamed to it; mode 0700.
   *
   * @returns its absolute path
   */
  besides(destination: string): string {
    const slash = destination.lastIndexOf("/");
    const path = `${destination.slice(0, slash)}/${secondName(this.path)}`;
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
 * Removes what dead processes have left below `parent`. What cannot be removed now, because something
 * is mounted in it, say, stays for a later sweep and is in nobody's way.
 *
 * @returns the paths that were swept
 */
export async function sweepStaging(parent: string): Promise<string[]> {
  const swept: string[] = [];
  for (const name of fs.readdirSync(parent)) {
    if (!name.endsWith(".lock")) continue;
    using lock = FileLock.tryExisting(`${parent}/${name}`);
    if (lock === null) continue;
    const path = `${parent}/${name.slice(0, -".lock".length)}`;
    if (!await sweep(path)) continue;
    lock.remove();
    swept.push(path);
  }
  return swept;
}

async function sweep(path: string): Promise<boolean> {
  try {
    const places = [path, secondDirectory(path)].filter((place) => place !== null);
    for (const place of places) {
      if (fs.existsSync(place) && (await mountsBelow(fs.realpathSync(place))).length > 0) {
        return false;
      }
    }
    await removeStaging(path);
    return true;
  } catch (error) {
    if (error instanceof LayerfsError) return false;
    throw error;
  }
}

/** The second directory of a staging directory, if that names one: it must bear the same name. */
function secondDirectory(path: string): string | null {
  const file = `${path}/${ELSEWHERE}`;
  if (!fs.existsSync(file)) return null;
  const place = fs.readFileSync(file, "utf8");
  return place.startsWith("/") && place.endsWith(`/${secondName(path)}`) ? place : null;
}

function secondName(path: string): string {
  return `.layerfs-${path.slice(path.lastIndexOf("/") + 1)}`;
}

async function removeStaging(path: string): Promise<void> {
  const second = secondDirectory(path);
  if (second !== null) await removeTree(second);
  await removeTree(path);
}
