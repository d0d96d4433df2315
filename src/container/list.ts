/**
 * `layerfs ps`: the containers of a store.
 *
 * @module
 */

import { check, run } from "../process.ts";
import type { DriverName } from "../store/driver.ts";
import type { StoreOptions } from "../store/store.ts";
import { allContainers, type Container } from "./containers.ts";

/** A container as `ps --json` prints it. */
export interface ContainerRow {
  /** The container's id. */
  readonly id: string;
  /** Reference of its image; null where it has none. */
  readonly image: string | null;
  /** RFC 3339. */
  readonly created: string;
  /** What keeps its root filesystem. */
  readonly driver: DriverName;
  /** Absolute path. */
  readonly bundle: string;
  /** Whether its root filesystem can be used as it is. Always so with the directory driver. */
  readonly mounted: boolean;
  /** Bytes on disk that only this container takes. */
  readonly ownBytes: number;
}

/** All containers, by id. */
export async function listContainers(options: StoreOptions): Promise<ContainerRow[]> {
  const containers = allContainers(options.store);
  const sizes = await diskUsage(containers);
  return containers.map(({ id, bundle, record }, index) => ({
    id,
    image: record.image?.reference ?? null,
    created: record.created,
    driver: record.driver,
    bundle,
    mounted: true,
    ownBytes: sizes[index]!,
  }));
}

/** Bytes that each bundle takes on disk: one du(1) for all of them. */
async function diskUsage(containers: readonly Container[]): Promise<number[]> {
  if (containers.length === 0) return [];
  const args = ["--summarize", "--block-size=1", "--null", "--files0-from=-"];
  const names = containers.map(({ bundle }) => `${bundle}\0`).join("");
  const result = await run("du", args, { stdin: new TextEncoder().encode(names) });
  // du says with status 1 that it could not read a directory, and goes on.
  const { stdout } = result.code === 1 ? result : check(result, "Cannot measure the containers");
  const bytes = new Map(
    stdout.split("\0").filter((row) => row !== "").map((row) => {
      const tab = row.indexOf("\t");
      return [row.slice(tab + 1), Number(row.slice(0, tab))] as const;
    }),
  );
  return containers.map(({ bundle }) => bytes.get(bundle) ?? 0);
}
