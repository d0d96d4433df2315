/**
 * Taking a name in the store, and giving it back.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../layer/root_path.ts";
import type { Store } from "../store/store.ts";
import { errnoName, storageError } from "../system_error.ts";
import { containerPath, findContainer } from "./containers.ts";

/**
 * Renames a finished bundle to where it belongs, and makes `containers/<id>` lead to it.
 *
 * @param staged absolute path of the bundle, on the filesystem of `destination`
 * @throws {LayerfsError} `conflict` where the name or the place is taken
 */
export async function publishBundle(
  store: Store,
  id: string,
  staged: string,
  destination: string,
): Promise<void> {
  using _lock = await store.lockNames();
  checkFree(store.path, id, destination);
  const name = containerPath(store.path, id);
  try {
    // A link that leads nowhere: its bundle was removed by hand, or never came.
    if (lstatOrNull(name)?.isSymbolicLink()) fs.unlinkSync(name);
    if (destination === name) {
      fs.renameSync(staged, name);
      return;
    }
    fs.symlinkSync(destination, name);
    try {
      fs.renameSync(staged, destination); // takes the place of an empty directory
    } catch (error) {
      fs.unlinkSync(name);
      throw error;
    }
  } catch (error) {
    throw storageError(error, `Cannot put the bundle at "${destination}"`);
  }
}

/**
 * Refuses a name or a place that is taken.
 *
 * @param store path of the store
 * @throws {LayerfsError} `conflict`
 */
export function checkFree(store: string, id: string, destination: string): void {
  if (findContainer(store, id) !== null) {
    throw new LayerfsError(
      "conflict",
      `Cannot create container "${id}": there is one of that name; take another --name, or remove ` +
        `it with layerfs rm ${id}`,
      { id },
    );
  }
  let names: string[];
  try {
    names = fs.readdirSync(destination);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return;
    throw storageError(error, `Cannot use bundle directory "${destination}"`);
  }
  if (names.length === 0) return;
  throw new LayerfsError(
    "conflict",
    `Cannot use bundle directory "${destination}": it is not empty`,
    { bundle: destination },
  );
}
