/**
 * Where the tests of this directory work: stores on the pool that with_zfs_fuse.sh makes.
 *
 * @module
 */

import { assert } from "@std/assert";
import { must, run, Work } from "../../platform/harness.ts";
import { Ground, type StressDriver } from "../../platform/stress_ground.ts";
import { sharingImages, type StressImage } from "../../platform/stress_images.ts";

/** The pool, where there is one. */
export const POOL = Deno.env.get("LAYERFS_TEST_POOL");

/** Root dataset of a store: named like its directory. */
export function datasetOf(store: string, pool = POOL): string {
  return `${pool}/${store.slice(store.lastIndexOf("/") + 1)}`;
}

/**
 * Destroys a dataset with all that is below it or cloned from it. One that was in use a moment ago may
 * need another try. That it is not there is no error.
 */
export async function destroy(dataset: string, options = ["-R", "-f"]): Promise<void> {
  let said = "";
  for (let tries = 0; tries < 20; tries++) {
    const { code, stderr } = await run(["zfs", "destroy", ...options, dataset]);
    if (code === 0 || stderr.includes("does not exist")) return;
    said = stderr;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`cannot destroy ${dataset}: ${said}`);
}

/** The driver, with its datasets in a pool. */
export function onPool(pool: string | undefined): StressDriver {
  return {
    name: "zfs",
    options: (store) => ["--driver", "zfs", "--dataset", datasetOf(store, pool)],
    keepsLayers: true,
    place: (work) => Promise.resolve(work.directory),
    outside: async (store) => {
      const dataset = datasetOf(store, pool);
      const list = ["zfs", "list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", dataset];
      return (await must(list)).split("\n").filter((name) => name !== "");
    },
    destroy: (store) => destroy(datasetOf(store, pool)),
    ...(POOL === undefined ? { skip: "LAYERFS_TEST_POOL names no pool" } : {}),
  };
}

/** The driver, on the tests' pool. */
export const ON_ZFS = onPool(POOL);

/** Registers a test with a store and two images. */
export function test(
  name: string,
  fn: (ground: Ground, one: StressImage, two: StressImage) => Promise<void>,
): void {
  Deno.test({
    name: `zfs: ${name}`,
    ignore: POOL === undefined,
    fn: async () => {
      await using work = await Work.create();
      const [one, two] = sharingImages(work.directory, 2);
      assert(one !== undefined && two !== undefined);
      await fn(await Ground.create(work, ON_ZFS), one, two);
    },
  });
}
