/**
 * A btrfs in a file: there files can share their blocks, whatever the tests run on.
 *
 * @module
 */

import { must, run, type Work } from "./harness.ts";

/** Bytes of the file, which is sparse. */
const SIZE = "1G";

/** Makes and mounts one; `work` unmounts it. Returns where it is mounted. */
export async function mountBtrfs(work: Work): Promise<string> {
  const disk = work.path("btrfs.disk");
  const place = work.path("btrfs");
  await Deno.mkdir(place);
  await must(["truncate", "--size", SIZE, disk]);
  await must(["mkfs.btrfs", "--quiet", disk]);
  await must(["mount", "-o", "loop", disk, place]);
  work.defer(() => must(["umount", place]));
  return place;
}

/** Why there can be none here, for the names of tests; null where there can. */
export async function btrfsProblem(): Promise<string | null> {
  if ((await run(["mkfs.btrfs", "--version"])).code !== 0) return "there is no mkfs.btrfs";
  // A module is loaded by the first mount only.
  await run(["modprobe", "--quiet", "btrfs"]);
  const known = (await must(["cat", "/proc/filesystems"])).split("\n");
  return known.includes("\tbtrfs") ? null : "this kernel knows no btrfs";
}
