/**
 * Whether overlayfs can be used in a place.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError, within } from "../../errors.ts";
import { lstatOrNull } from "../../layer/root_path.ts";
import { storageError } from "../../system_error.ts";
import { removeTree } from "../remove_tree.ts";
import { mountOverlay } from "./mount_overlay.ts";
import { unmount } from "./unmount.ts";

/**
 * Why overlayfs cannot keep the layers and containers of a store at `store`; null where it can. Tried
 * out in a temporary directory there, or in the nearest directory above it, of which nothing is left.
 *
 * @param store absolute path, whether it is there or not
 * @returns a clause that goes on after "because"
 */
export async function overlayProblem(store: string): Promise<string | null> {
  return (await findProblem(store))?.message ?? null;
}

/**
 * Makes sure that overlayfs can keep a store at `store`.
 *
 * @param store absolute path, whether it is there or not
 * @throws {LayerfsError} `privilege-missing`, `program-missing`, `permission-missing`, `unsupported`,
 * `storage`
 */
export async function checkOverlay(store: string): Promise<void> {
  const problem = await findProblem(store);
  if (problem !== null) throw within(problem, 'Cannot use driver "overlay"');
}

async function findProblem(store: string): Promise<LayerfsError | null> {
  if (Deno.uid() !== 0) {
    return new LayerfsError("privilege-missing", "overlayfs can be mounted by root only");
  }
  let place = store;
  while (!isDirectory(place) && place !== path.dirname(place)) place = path.dirname(place);
  const action = `overlayfs cannot be tried out in "${place}"`;
  try {
    const directory = fs.mkdtempSync(`${place}/.layerfs-probe-`);
    try {
      if (await hidesLower(directory)) return null;
      const message = `overlayfs does not hide what a layer replaces in "${place}"`;
      return new LayerfsError("unsupported", message);
    } finally {
      await unmount(`${directory}/merged`, action);
      await removeTree(directory);
    }
  } catch (error) {
    const problem = storageError(error, action);
    if (!(problem instanceof LayerfsError)) throw problem;
    const { reason } = problem.data; // without the temporary directory
    if (typeof reason !== "string") return problem;
    const message = `overlayfs cannot be mounted in "${place}": ${reason}`;
    return new LayerfsError(problem.code, message, problem.data, { cause: error });
  }
}

/** Does what layers do: hides a file of a lower directory, and replaces that directory. */
async function hidesLower(directory: string): Promise<boolean> {
  for (const name of ["lower/hidden", "upper", "work", "merged"]) {
    fs.mkdirSync(`${directory}/${name}`, { recursive: true, mode: 0o700 });
  }
  fs.closeSync(fs.openSync(`${directory}/lower/hidden/file`, "wx", 0o600));
  await mountOverlay({
    target: `${directory}/merged`,
    lowers: [`${directory}/lower`],
    upper: { upper: `${directory}/upper`, work: `${directory}/work` },
    links: `${directory}/links`,
  });
  const hidden = `${directory}/merged/hidden`;
  fs.rmSync(hidden, { recursive: true });
  fs.mkdirSync(hidden, 0o700);
  return fs.readdirSync(hidden).length === 0;
}

function isDirectory(place: string): boolean {
  return lstatOrNull(place) !== null && fs.statSync(place).isDirectory();
}
