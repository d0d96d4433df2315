/**
 * Changes to files of credentials: whole or not at all, readable for their owner only, with
 * everything else in them as it was.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { resolve } from "@std/path/posix/resolve";
import { isObject } from "../oci/fields.ts";
import { errnoName, storageError } from "../system_error.ts";
import { DOCKER_HUB_KEY, keysOf, readAuthFile, toEntry } from "./auth_file.ts";
import type { Credentials } from "./credentials.ts";

/**
 * Puts credentials for a registry into a file, which is made where there is none, or takes them out.
 *
 * @param credentials null takes out what there is
 * @returns whether there were any before
 * @throws {LayerfsError} `usage` for a damaged file, else as `storageError` says
 */
export async function updateAuthFile(
  file: string,
  host: string,
  credentials: Credentials | null,
): Promise<boolean> {
  const action = `Cannot write "${file}"`;
  try {
    const target = await realPath(file);
    const directory = dirname(target);
    if (credentials !== null) await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    else if (await readAuthFile(target) === null) return false;
    // Two logins at a time must not lose one another's: the second waits.
    using lock = await Deno.open(directory);
    await lock.lock(true);
    const document = (await readAuthFile(target))?.document ?? {};
    const known = keysOf({ path: target, document }, host);
    if (credentials === null && known.length === 0) return false;
    const auths = { ...isObject(document.auths) ? document.auths : {} };
    for (const key of known) delete auths[key];
    if (credentials !== null) auths[keyFor(target, host)] = toEntry(credentials);
    await replace(target, `${JSON.stringify({ ...document, auths }, null, "\t")}\n`);
    return known.length > 0;
  } catch (error) {
    throw storageError(error, action);
  }
}

/** Docker looks for its own key in its own file. */
function keyFor(file: string, host: string): string {
  return host === "docker.io" && basename(file) === "config.json" ? DOCKER_HUB_KEY : host;
}

/** The file that a symlink leads to is the one to be replaced. */
async function realPath(file: string): Promise<string> {
  try {
    return await Deno.realPath(file);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return resolve(file);
    throw error;
  }
}

/** A new file takes the place of the old one, whose mode may have let others read it. */
async function replace(target: string, text: string): Promise<void> {
  const staged = `${target}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(staged, text, { createNew: true, mode: 0o600 });
    using file = await Deno.open(staged, { write: true });
    await file.sync();
    await Deno.rename(staged, target);
  } catch (error) {
    await Deno.remove(staged).catch((left: unknown) => {
      if (errnoName(left) !== "ENOENT") throw left;
    });
    throw error;
  }
}
