/**
 * The files of a bundle beside its root filesystem: config.json, and the volumes of the image.
 *
 * @module
 */

import { digestBytes, type DigestEngine } from "../core/hasher.ts";
import type { ImageConfig } from "../oci/config.ts";
import type { Digest } from "../oci/digest.ts";
import { check, run } from "../process.ts";
import { storageError } from "../system_error.ts";
import { buildRuntimeConfig, type BundlePlan } from "./bundle.ts";
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
  /** Volumes of a bundle that this one takes the place of; none where it is absent. */
  readonly volumes?: KeptVolumes;
  /** What computes the digest of config.json. */
  readonly engine: DigestEngine;
  readonly signal: AbortSignal;
}

/** Volumes that are there already, and stay as they are. */
export interface KeptVolumes {
  /** Their sources by destination. */
  readonly sources: ReadonlyMap<string, string>;
  /** The first number from which on no volume has one. */
  readonly firstFree: number;
}

/** The bundle of a new container. */
const NO_VOLUMES: KeptVolumes = { sources: new Map(), firstFree: 0 };

/**
 * Writes config.json and makes the directories of the volumes.
 *
 * @returns the digest of config.json, and warnings for people to read
 */
export async function writeBundle(
  files: BundleFiles,
): Promise<{ configDigest: Digest; warnings: string[] }> {
  const { bundle, signal, engine, volumes = NO_VOLUMES, ...request } = files;
  const idMaps = Deno.uid() === 0 ? null : currentIdMaps();
  const rootless = idMaps?.maps ?? null;
  const rootfs = `${bundle}/rootfs`;
  const plan = withKept(buildRuntimeConfig({ ...request, rootfs, rootless }), volumes);
  const text = JSON.stringify(plan.config, null, 2) + "\n";
  try {
    Deno.writeTextFileSync(`${bundle}/config.json`, text, { mode: 0o600, createNew: true });
    if (plan.volumes.length > 0) Deno.mkdirSync(`${bundle}/volumes`, { mode: 0o700 });
    for (const volume of plan.volumes) await makeVolume(bundle, volume, signal);
  } catch (error) {
    throw storageError(error, `Cannot write the bundle "${bundle}"`);
  }
  return {
    configDigest: digestBytes(new TextEncoder().encode(text), "sha256", engine),
    warnings: [...(idMaps?.warnings ?? []), ...plan.warnings],
  };
}

/** Volumes that are there already are not made, and the others get numbers behind theirs. */
function withKept(plan: BundlePlan, { sources, firstFree }: KeptVolumes): BundlePlan {
  const renamed = new Map<string, string>();
  const volumes: VolumeDirectory[] = [];
  for (const volume of plan.volumes) {
    const kept = sources.get(volume.destination);
    const source = kept ?? `volumes/${firstFree + volumes.length}`;
    if (kept === undefined) volumes.push({ ...volume, source });
    renamed.set(volume.destination, source);
  }
  const mounts = plan.config.mounts.map((mount) => {
    const source = renamed.get(mount.destination);
    return source === undefined ? mount : { ...mount, source };
  });
  return { ...plan, config: { ...plan.config, mounts }, volumes };
}

/** A volume starts with what the image has at its path, as docker and podman make it. */
async function makeVolume(
  bundle: string,
  { source, destination, seed }: VolumeDirectory,
  signal: AbortSignal,
): Promise<void> {
  const directory = `${bundle}/${source}`;
  if (seed === null) {
    Deno.mkdirSync(directory);
    return Deno.chmodSync(directory, 0o755); // whatever the umask
  }
  const args = ["--archive", "--reflink=auto", "--no-target-directory", "--", seed, directory];
  check(await run("cp", args, { signal }), `Cannot fill volume "${destination}"`, "storage");
}
