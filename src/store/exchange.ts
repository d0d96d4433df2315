/**
 * A directory in the place of another one, in steps of which each can be the last.
 *
 * @module
 */

import fs from "node:fs";
import { lstatOrNull } from "../layer/root_path.ts";

/**
 * Puts the directory `replacement` into the place of `place`, which goes to `aside`; all are on one
 * filesystem. Called again after a kill, it goes on; where `replacement` is gone, all is done.
 */
export function exchange(place: string, replacement: string, aside: string): void {
  if (lstatOrNull(replacement) === null) return;
  if (lstatOrNull(place) !== null) fs.renameSync(place, aside);
  fs.renameSync(replacement, place);
}
