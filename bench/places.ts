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
  work.defer(() => must(["zfs", "destroy", "-r", "-f", dataset]));
  return path;
}
