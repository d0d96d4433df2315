/**
 * A directory in the place of another one, in steps of which each can be the last.
 *
 * @module
 */

import { lstatOrNull } from "../files.ts";

/**
 * Puts the directory `replacement` into the place of `place`, which goes to `aside`; all are on one
 * filesystem. Called again after a kill, it goes on; where `replacement` is gone, all is done.
 */
export function exchange(place: string, replacement: string, aside: string): void {
  if (lstatOrNull(replacement) === null) return;
  if (lstatOrNull(place) !== null) Deno.renameSync(place, aside);
  Deno.renameSync(replacement, place);
}
