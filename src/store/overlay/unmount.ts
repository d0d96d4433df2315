/**
 * Unmounting, with patience.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../../errors.ts";
import { check, run } from "../../process.ts";
import { describeHolders, type Holder, holdersOf } from "../holders.ts";
import { isMountPoint } from "../mount_point.ts";
import { listMounts, mountsBelow } from "../mounts.ts";
import { isOurs } from "./mount_source.ts";
import { usersElsewhere } from "./users_elsewhere.ts";

/**
 * Milliseconds to wait before each new attempt at a busy mount: a worker that has just ended, or a
 * program that looks at every new mount, lets go of it within moments.
 */
const RETRY_DELAYS = [10, 20, 50, 100, 200, 400] as const;

/**
 * Unmounts what layerfs has mounted at `place`. That there is nothing, not even a directory, is no
 * error.
 *
 * @param action begins the message of an error
 * @throws {LayerfsError} `busy`, naming what uses it; also where somebody else has mounted something
 * over it, which stays
 */
export async function unmount(place: string, action: string): Promise<void> {
  if (await patiently(() => tryUnmount(place, action))) return;
  const real = realPath(place);
  const inner = (await mountsBelow(real)).filter((target) => target !== real).at(-1);
  if (inner === undefined) throw busy(place, action, await holdersOf(real));
  const state = `"${inner}" is mounted in it; unmount that first`;
  throw new LayerfsError("busy", `${action}: ${state}`, { path: place, mount: inner });
}

/**
 * Makes sure that no process in another mount namespace, such as one of a running container, uses
 * what was mounted at `place`: the kernel lets us unmount our mount all the same. What is removed then
 * goes from under it, and what a second mount of the same upper directory shows is undefined. Before
 * the unmounting this cannot be told: namespaces that only follow ours lose their copies with it.
 *
 * @param source what the mount was called; nothing else is called so
 * @throws {LayerfsError} `busy`, naming what uses it
 */
export async function checkUnused(place: string, source: string, action: string): Promise<void> {
  let users: readonly Holder[] = [];
  const isUnused = async () => {
    users = await usersElsewhere(realPath(place), source);
    return users.length === 0;
  };
  if (!await patiently(isUnused)) throw busy(place, action, users);
}

/** The path as the kernel's tables have it, whether it is there or not. */
function realPath(place: string): string {
  return `${Deno.realPathSync(dirname(place))}/${basename(place)}`;
}

/** Asks until the answer is yes, or the last delay is over. */
async function patiently(ask: () => Promise<boolean>): Promise<boolean> {
  for (const delay of RETRY_DELAYS) {
    if (await ask()) return true;
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  return await ask();
}

/** Unmounts what is mounted at `place`, one on the other; false where it is in use. */
async function tryUnmount(place: string, action: string): Promise<boolean> {
  while (isMountPoint(place)) {
    const real = realPath(place);
    const top = (await listMounts()).filter(({ target }) => target === real).at(-1);
    if (top === undefined) return true; // another process has been quicker
    if (!isOurs(top)) {
      const state = `something else is mounted over it ("${top.source}" at "${place}")`;
      throw new LayerfsError("busy", `${action}: ${state}; unmount that first`, { path: place });
    }
    const result = await run("umount", ["--", place]);
    // Another process may have been quicker: then there is no mount point any more.
    if (result.code === 0 || /not mounted/.test(result.stderr)) continue;
    if (!/target is busy/.test(result.stderr)) check(result, action, "storage");
    return false;
  }
  return true;
}

function busy(place: string, action: string, users: readonly Holder[]): LayerfsError {
  const holders = describeHolders(users);
  const state = holders === null
    ? "it is in use, by none of the processes that can be seen; try again"
    : `it is in use by ${holders}; end that first`;
  return new LayerfsError("busy", `${action}: ${state}`, { path: place, holders });
}
