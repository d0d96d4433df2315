/** Removal where a pool has no space left: what frees space must need none. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { run } from "../../src/process.ts";
import { chainId, datasets, isZfsFuse, Scratch, zfs } from "./harness.ts";
import { SmallPool } from "./small_pool.ts";

/** Elsewhere, there is space kept back for a rename. */
const fuse = await isZfsFuse();

Deno.test("layers and containers go from a pool that is full", async () => {
  await using pool = await SmallPool.create();
  await using scratch = await Scratch.create(pool.name);
  const { driver, dataset } = scratch;
  const before = await datasets(dataset);
  for (const [number, parent] of [[1, null], [2, 1], [3, 2]] as const) {
    await scratch.layer(number, parent);
  }
  const container = await scratch.container("c", 3);
  await driver.createRootfs(container);
  await pool.fill();
  if (fuse) {
    const layer = scratch.layerDataset(3);
    const { stderr } = await run("zfs", ["rename", layer, `${dataset}/staging/moved`]);
    assertStringIncludes(stderr, "out of space");
  }
  await driver.removeRootfs(container);
  for (const number of [3, 2, 1]) {
    assertEquals(await driver.removeLayer(chainId(number)), "removed");
  }
  assertEquals(await datasets(dataset), before);
  assertEquals(await driver.listLayers(), []);
});

async function foreignUse(): Promise<void> {
  await using pool = await SmallPool.create();
  await using scratch = await Scratch.create(pool.name);
  const { driver, dataset } = scratch;
  await scratch.layer(1);
  const layer = scratch.layerDataset(1);
  await zfs("snapshot", `${layer}@z`);
  const clone = `${dataset}/foreign`;
  for (
    const [take, release] of [
      [["clone", "-o", "mountpoint=none", `${layer}@z`, clone], ["destroy", clone]],
      [["hold", "keep", `${layer}@z`], ["release", "keep", `${layer}@z`]],
    ] as const
  ) {
    await zfs(...take);
    const before = await datasets(dataset);
    await pool.fill();
    const error = await assertRejects(() => driver.removeLayer(chainId(1)), LayerfsError);
    assertEquals(error.code, "storage-full");
    assertEquals(await datasets(dataset), before);
    await pool.empty();
    await zfs(...release);
  }
  assertEquals((await driver.findLayers([chainId(1)])).size, 1);
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
  assert(!(await datasets(dataset)).includes(layer));
}

Deno.test({
  name: "a layer that something foreign uses stays whole in a pool that is full",
  ignore: !fuse,
  fn: foreignUse,
});
