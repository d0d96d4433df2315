/**
 * What a container has changed, by its upper directory.
 *
 * @module
 */

import type { Candidates } from "../../layer/tree_changes.ts";
import { check, run } from "../../process.ts";

/**
 * The paths of all that is in the upper directory: what was written or changed, with its parents;
 * a device 0:0 where a name was removed. A directory that is opaque hides what the layers have in it,
 * which shows by a comparison of its children. Nothing is redirected, nor without its data: containers
 * are mounted so (see PLAIN_FORMAT in mount_overlay.ts).
 */
export async function upperPaths(upper: string, action: string): Promise<Candidates> {
  const args = [upper, "-printf", "%P\\0"];
  const { bytes } = check(await run("find", args), action, "storage");
  const paths: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0, start);
    paths.push(bytes.subarray(start, end));
    start = end + 1;
  }
  // The kernel numbers the inodes of an overlay as it likes.
  return { paths, keepsInodes: false };
}
