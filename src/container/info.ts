/**
 * `layerfs info`: what this store and this machine offer.
 *
 * @module
 */

import path from "node:path";
import { LayerfsError } from "../errors.ts";
import { formatPlatform, hostPlatform } from "../oci/platform.ts";
import { run } from "../process.ts";
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
  /** Driver of the store: remembered, or the one that would be chosen. */
  readonly driver: string;
  /** Why that driver. */
  readonly driverReason: string;
  /** How many containers there are. */
  readonly containers: number;
  /** Platform of this machine, such as `linux/amd64`. */
  readonly platform: string;
  /** What kind of user this is. */
  readonly user: "root" | "ordinary";
  /** The programs that layerfs may start. */
  readonly programs: readonly ProgramInfo[];
}

/** The programs; each tells its version when asked with `--version`. */
const PROGRAMS = ["tar", "xargs", "cp", "du", "unshare", "findmnt", "runc", "crun"] as const;

/** Finds out what this store and this machine offer. Changes nothing. */
export async function storeInfo(options: StoreOptions): Promise<StoreInfo> {
  const { name, reason } = await chooseDriver(options);
  return {
    store: path.resolve(options.store),
    driver: name,
    driverReason: reason,
    containers: allContainers(options.store, () => {}).length,
    platform: formatPlatform(hostPlatform()),
    user: Deno.uid() === 0 ? "root" : "ordinary",
    programs: await Promise.all(PROGRAMS.map(programInfo)),
  };
}

async function programInfo(program: string): Promise<ProgramInfo> {
  try {
    const { stdout } = await run(program, ["--version"]);
    return { program, version: stdout.split("\n")[0]! };
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "program-missing") throw error;
    return { program, version: null };
  }
}
