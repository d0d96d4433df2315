/** The datasets that a store on ZFS makes on its first use, and what is said where they are missing. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { ZfsDriver } from "../../src/store/zfs/zfs_driver.ts";
import { chainId, datasets, isZfsFuse, POOL, property, record, Scratch, zfs } from "./harness.ts";

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

Deno.test("a store below a dataset with a legacy mount point", async () => {
  await using above = await Scratch.create();
  const legacy = `${above.dataset}/legacy`;
  await zfs("create", "-o", "mountpoint=legacy", legacy);
  await using scratch = await Scratch.create(legacy);
  const { driver } = scratch;
  await scratch.layer(1);
  await scratch.layer(2, 1);
  const container = await scratch.container("web", 2);
  await driver.createRootfs(container);
  await driver.unmountRootfs(container);
  await driver.mountRootfs(container);
  const names = [...Deno.readDirSync(container.rootfs)].map(({ name }) => name).sort();
  assertEquals(names, ["1", "2"]);
  await driver.removeRootfs(container);
  assertEquals(await property(legacy, "mountpoint"), "legacy");
  assertEquals((await driver.listLayers()).length, 2);
});

Deno.test("a dataset that belongs to another store is refused", async () => {
  await using scratch = await Scratch.create();
  const other = new ZfsDriver(`${scratch.store}/other`, scratch.dataset);
  const error = await assertRejects(() => other.initialize(), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, scratch.store);
  assertStringIncludes(error.message, `zfs set org.layerfs:store=`);
});

Deno.test("each of the three datasets has the mark of its store, and is refused without it", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset, store } = scratch;
  const places = ["containers", "staging", "layers"].map((name) => `${dataset}/${name}`);
  for (const place of places) {
    assertEquals(await property(place, "org.layerfs:store"), encodeURI(store));
    // Of somebody's own making; the mark of a dataset above it is none.
    await zfs("inherit", "org.layerfs:store", place);
    await zfs("set", `org.layerfs:store=${encodeURI(store)}`, dataset);
    const unmarked = await assertRejects(() => driver.initialize(), LayerfsError);
    assertEquals(unmarked.code, "conflict");
    assertStringIncludes(unmarked.message, `"${place}" is not marked`);
    await zfs("set", "org.layerfs:store=/another%20store", place);
    const other = await assertRejects(() => driver.initialize(), LayerfsError);
    assertEquals(other.code, "conflict");
    assertStringIncludes(other.message, `"${place}" belongs to the store at "/another store"`);
    await zfs("set", `org.layerfs:store=${encodeURI(store)}`, place);
  }
  await driver.initialize();
});

Deno.test("of two stores that are made on one dataset at once, one wins", async () => {
  await using scratch = await Scratch.create();
  for (let round = 0; round < 3; round++) {
    const root = `${scratch.dataset}/race${round}`;
    const stores = ["a", "b"].map((name) => `${scratch.store}/${name}${round}`);
    const outcomes = await Promise.allSettled(stores.map(async (store) => {
      await Deno.mkdir(store);
      await new ZfsDriver(store, root).initialize();
    }));
    const winners = stores.filter((_, i) => outcomes[i]?.status === "fulfilled");
    assertEquals(winners.length, 1, JSON.stringify(outcomes));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") assertEquals(outcome.reason.code, "conflict");
    }
    for (const name of ["layers", "containers", "staging"]) {
      const owner = await property(`${root}/${name}`, "org.layerfs:store");
      assertEquals(owner, encodeURI(winners[0] ?? ""));
    }
  }
});

Deno.test("a copy of a store destroys nothing of the original, and says how to move one", async () => {
  await using scratch = await Scratch.create();
  const { dataset, store } = scratch;
  await scratch.layer(1);
  const container = await scratch.container("c", 1);
  await scratch.driver.createRootfs(container);
  const dead = "0123456789abcdef";
  await zfs("create", "-o", "mountpoint=none", `${dataset}/staging/${dead}`);
  const before = await datasets(dataset);
  const copy = `${store}/copy`;
  await Deno.mkdir(`${copy}/containers/c`, { recursive: true });
  const copied = { ...container, rootfs: `${copy}/containers/c/rootfs` };
  const calls: ((driver: ZfsDriver) => Promise<unknown>)[] = [
    (driver) => driver.initialize(),
    (driver) => driver.createRootfs({ ...copied, id: "intruder" }),
    (driver) => driver.createRootfs({ ...copied, id: "intruder", top: null }),
    (driver) => driver.findLayers([chainId(1)]),
    (driver) => driver.listLayers(),
    (driver) => driver.rootfsStates([copied]),
    (driver) => driver.listStrays(),
    (driver) => driver.survey(),
    (driver) => driver.measure([]),
    (driver) => driver.removeRootfs(copied),
    (driver) => driver.removeRootfs(container),
    (driver) => driver.removeLayer(chainId(1)),
    (driver) => driver.sweep(dead),
  ];
  const layers = `${dataset}/layers`;
  const move = `zfs set org.layerfs:store=${encodeURI(copy)} ${layers} ${dataset}/containers ` +
    `${dataset}/staging`;
  for (const call of calls) {
    const error = await assertRejects(() => call(new ZfsDriver(copy, dataset)), LayerfsError);
    assertEquals([error.code, String(call)], ["conflict", String(call)]);
    assertStringIncludes(error.message, `belongs to the store at "${store}"`);
    assertStringIncludes(error.message, move);
  }
  assertEquals(await datasets(dataset), before);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/1`), "1");
  // On purpose, the advice does it.
  await zfs(...move.split(" ").slice(1));
  assertEquals((await new ZfsDriver(copy, dataset).findLayers([chainId(1)])).size, 1);
});

Deno.test("a store below a path that is not ASCII", async () => {
  await using scratch = await Scratch.create();
  const store = `${scratch.store}/Gerät ü 容`;
  const dataset = `${scratch.dataset}/umlaut`;
  await Deno.mkdir(`${store}/containers/c`, { recursive: true });
  const driver = new ZfsDriver(store, dataset);
  await driver.initialize();
  await driver.initialize();
  {
    await using staged = await driver.prepareLayer(chainId(1), null, "0123456789abcdef");
    await Deno.writeTextFile(`${staged.root}/a`, "x");
    await staged.commit(record(1));
  }
  const view = await driver.mountLayer(chainId(1));
  assertEquals(await Deno.readTextFile(`${view}/a`), "x");
  await driver.unmountLayer(chainId(1));
  const container = { id: "c", rootfs: `${store}/containers/c/rootfs`, top: chainId(1) };
  await driver.createRootfs(container);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/a`), "x");
  await driver.unmountRootfs(container);
  await driver.mountRootfs(container);
  assertEquals((await driver.rootfsStates([container])).get("c")?.mounted, true);
  assertEquals((await driver.listStrays()).containers, [container]);
  await driver.removeRootfs(container);
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
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
    () => nowhere.survey(),
    () => nowhere.listStrays(),
    () => nowhere.measure([]),
    () => nowhere.removeLayer(chainId(1)),
    () => nowhere.mountLayer(chainId(1)),
    () => nowhere.createRootfs(container),
    () => nowhere.mountRootfs(container),
    () => nowhere.removeRootfs(container),
    () => nowhere.rootfsStates([container]),
    () => nowhere.sweep("0123456789abcdef"),
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
  await scratch.driver.sweep("0123456789abcdef");
  assertEquals(await scratch.driver.findLayers([chainId(1)]), new Map());
  const missing = await assertRejects(() => scratch.driver.createRootfs(container), LayerfsError);
  assertEquals(missing.code, "not-found");
  const unmounted = await assertRejects(() => scratch.driver.mountLayer(chainId(1)), LayerfsError);
  assertEquals(unmounted.code, "not-found");
});
