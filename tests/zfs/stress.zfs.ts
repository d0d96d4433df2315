/** The hard tests of stress.ts on ZFS, on the pool that with_zfs_fuse.sh makes. */

import { must, run } from "../platform/harness.ts";
import { stressTests } from "../platform/stress.ts";
import { FULL_TMPFS, fullDataset } from "../platform/stress_full.ts";
import type { StressDriver } from "../platform/stress_ground.ts";

const pool = Deno.env.get("LAYERFS_TEST_POOL");

/** Root dataset of a store: named like its directory. */
function datasetOf(store: string): string {
  return `${pool}/${store.slice(store.lastIndexOf("/") + 1)}`;
}

/** A dataset that was in use a moment ago may need another try. */
async function destroy(store: string): Promise<void> {
  const dataset = datasetOf(store);
  let said = "";
  for (let tries = 0; tries < 20; tries++) {
    const { code, stderr } = await run(["zfs", "destroy", "-R", "-f", dataset]);
    if (code === 0 || stderr.includes("does not exist")) return;
    said = stderr;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`cannot destroy ${dataset}: ${said}`);
}

const zfs: StressDriver = {
  name: "zfs",
  options: (store) => ["--driver", "zfs", "--dataset", datasetOf(store)],
  keepsLayers: true,
  place: (work) => Promise.resolve(work.directory),
  outside: async (store) => {
    const dataset = datasetOf(store);
    const list = ["zfs", "list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", dataset];
    return (await must(list)).split("\n").filter((name) => name !== "");
  },
  destroy,
  ...(pool === undefined ? { skip: "LAYERFS_TEST_POOL names no pool" } : {}),
};

stressTests(zfs, 200, [FULL_TMPFS, fullDataset(datasetOf)]);
