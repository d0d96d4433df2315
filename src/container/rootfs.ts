/**
 * The root filesystem of a new container: from an image, or from a directory or tar file.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { LayerBlob } from "../layer/unpack.ts";
import { check, run } from "../process.ts";
import type { ResolvedImage } from "../source/image.ts";
import { openRootfs } from "../source/rootfs.ts";
import type { Driver, RootfsResult } from "../store/driver.ts";

/** What every way of making a root filesystem needs. */
export interface RootfsContext {
  readonly driver: Driver;
  /** Absolute path of an existing, empty directory. */
  readonly rootfs: string;
  readonly scratch: string;
  readonly engine: DigestEngine;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/** Makes it of the layers of an image. */
export function rootfsFromImage(
  image: ResolvedImage,
  context: RootfsContext,
): Promise<RootfsResult> {
  return applyBlobs(image.layers, context);
}

/**
 * Makes it of a directory, which is copied, or of a tar file (plain, gzip, zstd), which is unpacked.
 *
 * @throws {LayerfsError} `not-found`, or what is wrong with the tar file
 */
export async function rootfsFromPath(path: string, context: RootfsContext): Promise<RootfsResult> {
  const source = openRootfs(path);
  if (source.kind === "directory") return await copyDirectory(source.path, context);
  const { location } = source;
  return await applyBlobs([{ location, digest: null, size: null, diffId: null }], context);
}

async function applyBlobs(
  layers: readonly LayerBlob[],
  context: RootfsContext,
): Promise<RootfsResult> {
  const { driver, onProgress, ...request } = context;
  const bytes = layers.reduce((sum, { location }) => sum + location.length, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  try {
    return await driver.createRootfs({ ...request, onProgress, layers });
  } finally {
    onProgress({ type: "end" });
  }
}

/** cp(1) keeps owners, modes, times, links, xattrs and holes, and shares extents where it can. */
async function copyDirectory(path: string, context: RootfsContext): Promise<RootfsResult> {
  const args = ["--archive", "--reflink=auto", "--sparse=auto", "--", `${path}/.`, context.rootfs];
  check(
    await run("cp", args, { signal: context.signal }),
    `Cannot copy rootfs "${path}"`,
    "storage",
  );
  return { reused: 0, applied: 0, compressed: 0, uncompressed: 0, warnings: [] };
}
