/**
 * `layerfs info`: what this store and this machine offer.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import { formatPlatform, hostPlatform } from "../oci/platform.ts";
import { run } from "../process.ts";
import type { DriverName } from "../store/driver.ts";
import { chooseDriver, type StoreOptions } from "../store/settings.ts";
import { allContainers } from "./containers.ts";

/** A program that layerfs may start, and the first line it says of its version. */
export interface ProgramInfo {
  /** Its name. */
  readonly program: string;
  /** Null where it is missing. */
  readonly version: string | null;
}

/** What `info --json` prints. */
export interface StoreInfo {
  /** Absolute path. */
  readonly store: string;
  /** Driver of the store: remembered, or the one that would be chosen; null where it is hidden. */
  readonly driver: DriverName | null;
  /** Why that driver, or why it cannot be told. */
  readonly driverReason: string;
  /** The root dataset of the driver "zfs"; null with other drivers. */
  readonly dataset: string | null;
  /** How many containers there are; null where this user may not read the store. */
  readonly containers: number | null;
  /** Platform of this machine, such as `linux/amd64`. */
  readonly platform: string;
  /** What kind of user this is. */
  readonly user: "root" | "ordinary";
  /** The programs that layerfs may start. */
  readonly programs: readonly ProgramInfo[];
}

/** The programs that a store may take; each but zfs tells its version when asked `--version`. */
const PROGRAMS = [
  "tar",
  "xargs",
  "cp",
  "cat",
  "du",
  "find",
  "findmnt",
  "mount",
  "umount",
  "sync",
  "setfattr",
  "unshare",
  "zfs",
  "runc",
  "crun",
] as const;

/** Finds out what this store and this machine offer. Changes nothing. */
export async function storeInfo(options: StoreOptions): Promise<StoreInfo> {
  return {
    store: resolve(options.store),
    ...await storeState(options),
    platform: formatPlatform(hostPlatform()),
    user: Deno.uid() === 0 ? "root" : "ordinary",
    programs: await Promise.all(PROGRAMS.map(programInfo)),
  };
}

type StoreState = Pick<StoreInfo, "driver" | "driverReason" | "dataset" | "containers">;

/** The rest is of use to somebody who may not read the store as well. */
async function storeState(options: StoreOptions): Promise<StoreState> {
  try {
    const { name, reason, dataset = null } = await chooseDriver(options);
    const containers = allContainers(options.store, () => {}).length;
    return { driver: name, driverReason: reason, dataset, containers };
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "privilege-missing") throw error;
    return { driver: null, driverReason: error.message, dataset: null, containers: null };
  }
}

async function programInfo(program: string): Promise<ProgramInfo> {
  try {
    const { stdout } = await run(program, [program === "zfs" ? "version" : "--version"]);
    const line = stdout.split("\n")[0] ?? "";
    // zfs-fuse does not know the command; OpenZFS says "zfs-2.1.11-1".
    return { program, version: program === "zfs" && line === "" ? "zfs-fuse" : line };
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "program-missing") throw error;
    return { program, version: null };
  }
}
