/**
 * Reads files of settings: bounded, as text, and absent ones as such.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_SETTINGS_BYTES } from "../limits.ts";
import { errnoName, storageError } from "../system_error.ts";

/**
 * The text of a file; null where there is none.
 *
 * @throws {LayerfsError} `usage` for one that is too long or not UTF-8, else as `storageError` says
 */
export async function readSettingsFile(path: string): Promise<string | null> {
  const action = `Cannot read "${path}"`;
  try {
    const { size, isFile } = await Deno.stat(path);
    // A device would have no end. /dev/null stands for "no file" in many scripts.
    if (!isFile) return path === "/dev/null" ? null : refuse(action, "it is no file");
    if (size > MAX_SETTINGS_BYTES) refuse(action, `it has ${size} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT" || name === "ENOTDIR") return null;
    if (error instanceof TypeError) refuse(action, "it is not UTF-8");
    throw storageError(error, action);
  }
}

/** Names in a directory, sorted; none where there is no such directory. */
export async function listSettings(directory: string, suffix: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(directory)) {
      if (name.endsWith(suffix)) names.push(name);
    }
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT" || name === "ENOTDIR") return [];
    throw storageError(error, `Cannot read "${directory}"`);
  }
  return names.sort();
}

function refuse(action: string, state: string): never {
  throw new LayerfsError("usage", `${action}: ${state}`);
}
