/**
 * The files of a bundle beside its root filesystem: config.json, and the volumes of the image.
 *
 * @module
 */

import fs from "node:fs";
import type { ImageConfig } from "../oci/config.ts";
import { check, run } from "../process.ts";
import { storageError } from "../system_error.ts";
import { buildRuntimeConfig } from "./bundle.ts";
import { currentIdMaps } from "./id_map.ts";
import type { VolumeDirectory } from "./mounts.ts";
import type { Overrides } from "./overrides.ts";

/** What a bundle is made of. */
export interface BundleFiles {
  /** Absolute path of the bundle as it is now, its `rootfs` finished. */
  readonly bundle: string;
  readonly id: string;
  readonly image: ImageConfig | null;
  readonly overrides: Overrides;
  readonly command: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Writes config.json and makes the directories of the volumes.
 *
 * @returns warnings for people to read
 */
export async function writeBundle(files: BundleFiles): Promise<string[]> {
  const { bundle, signal, ...request } = files;
  const idMaps = Deno.uid() === 0 ? null : currentIdMaps();
  const rootless = idMaps?.maps ?? null;
  const plan = buildRuntimeConfig({ ...request, rootfs: `${bundle}/rootfs`, rootless });
  try {
    const text = JSON.stringify(plan.config, null, 2) + "\n";
    fs.writeFileSync(`${bundle}/config.json`, text, { mode: 0o600, flag: "wx" });
    if (plan.volumes.length > 0) fs.mkdirSync(`${bundle}/volumes`, 0o700);
    for (const volume of plan.volumes) await makeVolume(bundle, volume, signal);
  } catch (error) {
    throw storageError(error, `Cannot write the bundle "${bundle}"`);
  }
  return [...(idMaps?.warnings ?? []), ...plan.warnings];
}

/** A volume starts with what the image has at its path, as docker and podman make it. */
async function makeVolume(
  bundle: string,
  { source, destination, seed }: VolumeDirectory,
  signal: AbortSignal,
): Promise<void> {
  const directory = `${bundle}/${source}`;
  if (seed === null) {
    fs.mkdirSync(directory);
    return fs.chmodSync(directory, 0o755); // whatever the umask
  }
  const args = ["--archive", "--reflink=auto", "--no-target-directory", "--", seed, directory];
  check(await run("cp", args, { signal }), `Cannot fill volume "${destination}"`, "storage");
}
