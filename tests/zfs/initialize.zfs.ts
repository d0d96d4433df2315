/** The datasets that a store on ZFS makes on its first use, and what is said where they are missing. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { ZfsDriver } from "../../src/store/zfs/zfs_driver.ts";
import { chainId, datasets, isZfsFuse, POOL, property, Scratch, zfs } from "./harness.ts";

Deno.test("initialize sets the properties that this ZFS knows, and none that endangers data", async () => {
  await using scratch = await Scratch.create();
  const { dataset } = scratch;
  const fuse = await isZfsFuse();
  for (const name of ["layers", "containers", "staging"]) {
    const place = `${dataset}/${name}`;
    assertEquals(await property(place, "mountpoint"), "none");
    assertEquals(await property(place, "canmount"), "off");
    const readonly = name === "layers" && !fuse;
    assertEquals(await property(place, "readonly"), readonly ? "on" : "off");
    assertEquals(await property(place, "com.sun:auto-snapshot"), "false");
    assertEquals(await property(place, "normalization"), "none");
    if (fuse) continue;
    assertEquals(await property(place, "compression"), "lz4");
    // 2.3 prints "on" for "sa".
    assert(["sa", "on"].includes(await property(place, "xattr")));
    assertStringIncludes(await property(place, "acltype"), "posix");
    assertEquals(await property(place, "relatime"), "on");
    assertEquals(await property(place, "dnodesize"), "auto");
    assertEquals(await property(place, "sync"), "standard");
  }
  const before = await datasets(dataset);
  await scratch.driver.initialize();
  assertEquals(await datasets(dataset), before);
});

Deno.test("initialize makes datasets above the root dataset, none of them mounted", async () => {
  await using scratch = await Scratch.create();
  const root = `${scratch.dataset}/a/b/c`;
  await new ZfsDriver(scratch.store, root).initialize();
  for (const name of ["a", "a/b", "a/b/c", "a/b/c/layers"]) {
    assertEquals(await property(`${scratch.dataset}/${name}`, "mounted"), "no");
  }
});

Deno.test("names and normalization of the datasets above do not matter", async () => {
  await using scratch = await Scratch.create();
  const odd = `${scratch.dataset}/odd`;
  await zfs(
    "create",
    "-o",
    "mountpoint=none",
    "-o",
    "normalization=formD",
    "-o",
    "setuid=off",
    odd,
  );
  await new ZfsDriver(scratch.store, odd).initialize();
  assertEquals(await property(`${odd}/containers`, "normalization"), "none");
  assertEquals(await property(`${odd}/containers`, "utf8only"), "off");
  assertEquals(await property(`${odd}/containers`, "setuid"), "on");
});

Deno.test("a dataset that belongs to another store is refused", async () => {
  await using scratch = await Scratch.create();
  const other = new ZfsDriver(`${scratch.store}/other`, scratch.dataset);
  const error = await assertRejects(() => other.initialize(), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, scratch.store);
});

Deno.test("a missing pool or dataset is told from a missing layer, with the command that mends it", async () => {
  await using scratch = await Scratch.create();
  const pool = "layerfs-test-no-such-pool";
  const nowhere = new ZfsDriver(scratch.store, `${pool}/a`);
  const container = await scratch.container("c", 1);
  const calls = [
    () => nowhere.initialize(),
    () => nowhere.findLayers([chainId(1)]),
    () => nowhere.listLayers(),
    () => nowhere.listStraysBesideLayers(),
    () => nowhere.listStrays(),
    () => nowhere.capacity(),
    () => nowhere.removeLayer(chainId(1)),
    () => nowhere.mountLayer(chainId(1)),
    () => nowhere.createRootfs(container),
    () => nowhere.mountRootfs(container),
    () => nowhere.removeRootfs(container),
    () => nowhere.rootfsStates([container]),
    () => nowhere.sweep("x"),
  ];
  for (const call of calls) {
    const error = await assertRejects<LayerfsError>(call as () => Promise<unknown>, LayerfsError);
    assertEquals([error.code, String(call)], ["environment-missing", String(call)]);
    assertStringIncludes(error.message, `zpool import ${pool}`);
    assertStringIncludes(error.message, `zpool create ${pool}`);
  }
  const unmade = new ZfsDriver(scratch.store, `${POOL}/layerfs-test-no-such-dataset`);
  const error = await assertRejects(() => unmade.listStrays(), LayerfsError);
  assertEquals(error.code, "environment-missing");
  assertStringIncludes(error.message, "zfs create");
  assertEquals(await scratch.driver.removeLayer(chainId(1)), "removed");
  await scratch.driver.removeRootfs(container);
  await scratch.driver.sweep("x");
  assertEquals(await scratch.driver.findLayers([chainId(1)]), new Map());
  const missing = await assertRejects(() => scratch.driver.createRootfs(container), LayerfsError);
  assertEquals(missing.code, "not-found");
  const unmounted = await assertRejects(() => scratch.driver.mountLayer(chainId(1)), LayerfsError);
  assertEquals(unmounted.code, "not-found");
});
