/** The driver "zfs" passes the contract of drivers, on the pool that with_zfs_fuse.sh makes. */

import { ZfsDriver } from "../../src/store/zfs/zfs_driver.ts";
import { driverContract } from "../store/contract.ts";

const pool = Deno.env.get("LAYERFS_TEST_POOL");

/** Runs a program that must succeed, and returns what it printed. */
async function must(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}

/** Whether this `zfs` has heard of `diff`: by what it says of one without a dataset. */
async function hasDiff(): Promise<boolean> {
  if (pool === undefined) return false;
  const { stderr } = await new Deno.Command("zfs", { args: ["diff"] }).output();
  return !new TextDecoder().decode(stderr).includes("unrecognized command");
}

let stores = 0;

async function open() {
  const store = await Deno.makeTempDir({ prefix: "layerfs-zfs-" });
  const dataset = `${pool}/contract-${Deno.pid}-${stores++}`;
  const list = async () => {
    const all = await must("zfs", "list", "-H", "-o", "name", "-t", "filesystem,snapshot");
    const names = all.split("\n").filter((name) => name.startsWith(`${dataset}/`));
    // The parents of everything stay.
    return names.filter((name) => name.slice(dataset.length + 1).includes("/"));
  };
  const dispose = async () => {
    const all = await must("zfs", "list", "-H", "-o", "name", "-t", "filesystem");
    if (all.split("\n").includes(dataset)) await must("zfs", "destroy", "-R", "-f", dataset);
    await Deno.remove(store, { recursive: true });
  };
  return { driver: new ZfsDriver(store, dataset), store, outside: list, dispose };
}

driverContract("zfs", open, {
  keepsLayers: true,
  hasQuota: true,
  mountsRootfs: true,
  keepsRootfsOutside: true,
  keepsLowerHardlinks: true,
  tellsChanges: await hasDiff(),
  ...(pool === undefined ? { skip: "LAYERFS_TEST_POOL names no pool" } : {}),
});
