/**
 * The filesystems that images are unpacked on: each a new one, gone afterwards.
 *
 * @module
 */

import { must, type Work } from "../tests/platform/harness.ts";

/** Their names, in the order of the tables. */
export const PLACES = ["tmpfs", "ext4", "zfs"] as const;

/** A kind of filesystem. */
export type PlaceName = typeof PLACES[number];

/** The pool by zfs-fuse, where tests/zfs/with_zfs_fuse.sh has made one. */
export const POOL = Deno.env.get("LAYERFS_TEST_POOL");

/** The command line of a bash script that ends at the first failure. */
export function bash(script: string, ...args: readonly string[]): string[] {
  return ["bash", "-euo", "pipefail", "-c", script, "bench", ...args];
}

/** No path of ours has a space in it. */
const UNMOUNT = `{ grep -oE " $1(/[^ ]*)? " /proc/self/mountinfo || true; } | tac |
  xargs --no-run-if-empty --max-args=1 umount`;

/** zfs-fuse needs a moment until an unmounted dataset is not busy any more. */
const DESTROY = `${UNMOUNT}
  for try in $(seq 50); do
    said=$(zfs destroy -R -f "$2" 2>&1) && exit 0
    sleep 0.1
  done
  echo "$said" >&2; exit 1`;

/** The command line that unmounts a directory and what is below it. */
export function unmountAll(directory: string): string[] {
  return bash(UNMOUNT, directory);
}

/** The command line that destroys a dataset, which may be mounted in a directory or below it. */
export function destroyDataset(directory: string, dataset: string): string[] {
  return bash(DESTROY, directory, dataset);
}

/** Makes a filesystem and returns its mount point; `work` removes it. */
export async function makePlace(work: Work, place: PlaceName): Promise<string> {
  if (place === "tmpfs") return await work.tmpfs("place-tmpfs", "75%");
  const path = work.path(`place-${place}`);
  await Deno.mkdir(path);
  if (place === "ext4") {
    const disk = work.path("ext4.img");
    await must(["truncate", "--size", "12G", disk]);
    await must(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk]);
    await must(["mount", "-o", "loop", disk, path]);
    work.defer(() => must(["umount", path]));
    return path;
  }
  if (POOL === undefined) throw new Error("LAYERFS_TEST_POOL names no pool");
  const dataset = `${POOL}/peers-${Deno.pid}`;
  await must(["zfs", "create", "-o", `mountpoint=${path}`, dataset]);
  work.defer(() => must(destroyDataset(path, dataset)));
  return path;
}
