/** Removal where people have made datasets below those of the store: none of theirs goes. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { isMountPoint } from "../../src/store/mount_point.ts";
import { chainId, datasets, Scratch, zfs } from "./harness.ts";

Deno.test("a container with a dataset below it is left as it was", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("parent", null);
  await driver.createRootfs(container);
  const dataset = `${scratch.dataset}/containers/parent`;
  await zfs("snapshot", `${dataset}@mine`);
  await zfs("create", "-o", "mountpoint=none", `${dataset}/data`);
  await zfs("create", "-o", "mountpoint=none", `${dataset}/data/more`);
  const before = await datasets(scratch.dataset);
  const error = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, `dataset "${dataset}/data" is below`);
  assertEquals(await datasets(scratch.dataset), before);
  assert(isMountPoint(container.rootfs));
  await zfs("destroy", "-r", `${dataset}/data`);
  // Its snapshot is nobody's but its own.
  await driver.removeRootfs(container);
  assertEquals((await datasets(scratch.dataset)).filter((name) => name.includes("parent")), []);
});

Deno.test("a layer, or litter, with a dataset below it is left as it was", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  const before = await datasets(dataset);
  await scratch.layer(1);
  const dead = "0123456789abcdef";
  await zfs("create", "-o", "mountpoint=none", `${dataset}/staging/${dead}`);
  const places = [scratch.layerDataset(1), `${dataset}/staging/${dead}`];
  for (const place of places) await zfs("create", "-o", "mountpoint=none", `${place}/mine`);
  await zfs("snapshot", `${places[0]}/mine@mine`);
  const view = await driver.mountLayer(chainId(1));
  const all = await datasets(dataset);
  for (
    const [i, work] of [() => driver.removeLayer(chainId(1)), () => driver.sweep(dead)].entries()
  ) {
    const error = await assertRejects(work, LayerfsError);
    assertEquals(error.code, "conflict");
    assertStringIncludes(error.message, `dataset "${places[i]}/mine" is below`);
    assertEquals(await datasets(dataset), all);
  }
  assert(isMountPoint(view));
  for (const place of places) await zfs("destroy", "-r", `${place}/mine`);
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
  await driver.sweep(dead);
  assertEquals(await datasets(dataset), before);
});

Deno.test("a layer in the making with a dataset below it is not discarded", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  const staged = await driver.prepareLayer(chainId(1), null, "0123456789abcdef");
  const mine = `${dataset}/staging/0123456789abcdef/mine`;
  await zfs("create", "-o", "mountpoint=none", mine);
  const error = await assertRejects(() => staged[Symbol.asyncDispose](), LayerfsError);
  assertStringIncludes(error.message, `dataset "${mine}" is below`);
  assert((await datasets(dataset)).includes(mine));
  await zfs("destroy", mine);
  await staged[Symbol.asyncDispose]();
});
