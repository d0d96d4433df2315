/**
 * The root filesystem of a container that has no image: from a directory or a tar file.
 *
 * @module
 */

import { check, run } from "../process.ts";
import { openRootfs } from "../source/rootfs.ts";
import type { NewRootfs } from "../store/driver.ts";
import type { LayerFS } from "../store/layerfs.ts";
import { NOTHING_PROVIDED, type Provided, type Work } from "../store/work.ts";

/**
 * Makes it of a directory, which is copied, or of a tar file (plain, gzip, zstd), which is unpacked.
 *
 * @throws {LayerfsError} `not-found`, or what is wrong with the tar file
 */
export async function rootfsFromPath(
  path: string,
  layerfs: LayerFS,
  container: NewRootfs,
  work: Work,
): Promise<Provided> {
  const source = openRootfs(path);
  await layerfs.createRootfs(container, [], work);
  if (source.kind === "directory") return await copyDirectory(source.path, container.rootfs, work);
  const layer = { content: source.location, digest: null, size: null, diffId: null };
  return await layerfs.unpack(container.rootfs, [layer], work);
}

/** cp(1) keeps owners, modes, times, links, xattrs and holes, and shares extents where it can. */
async function copyDirectory(path: string, rootfs: string, work: Work): Promise<Provided> {
  const args = ["--archive", "--reflink=auto", "--sparse=auto", "--", `${path}/.`, rootfs];
  check(await run("cp", args, { signal: work.signal }), `Cannot copy rootfs "${path}"`, "storage");
  return NOTHING_PROVIDED;
}
