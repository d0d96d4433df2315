/** What is special to the driver on ZFS; what every driver promises is tested elsewhere. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { isMountPoint } from "../../src/store/mount_point.ts";
import {
  callsOf,
  chainId,
  datasets,
  isZfsFuse,
  must,
  property,
  record,
  Scratch,
  zfs,
} from "./harness.ts";

Deno.test("a layer is a dataset with a snapshot that has its record", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  await scratch.layer(2, 1);
  assertEquals(
    (await datasets(scratch.dataset)).filter((name) => /\/(layers|staging)\//.test(name)),
    [1, 2].flatMap((n) => [scratch.layerDataset(n), `${scratch.layerDataset(n)}@layer`]),
  );
  assertEquals(
    await property(`${scratch.layerDataset(2)}@layer`, "org.layerfs:parent"),
    chainId(1),
  );
  assertEquals(
    await property(scratch.layerDataset(2), "readonly"),
    await isZfsFuse() ? "off" : "on",
  );
  assertEquals(await property(scratch.layerDataset(2), "canmount"), "noauto");
  assertEquals(
    await driver.findLayers([chainId(2), chainId(1), chainId(3)]),
    new Map([[chainId(2), record(2, 1)], [chainId(1), record(1)]]),
  );
  const layers = [...await driver.listLayers()].sort((a, b) => a.chainId < b.chainId ? -1 : 1);
  assertEquals(layers.map(({ bytes: _, ...rest }) => rest), [
    { ...record(1), mounted: false },
    { ...record(2, 1), mounted: false },
  ]);
  assert(layers.every(({ bytes }) => bytes > 0), JSON.stringify(layers));
});

Deno.test("a view shows the whole stack, and cannot be written to", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  await scratch.layer(2, 1);
  const view = await driver.mountLayer(chainId(2));
  assertEquals(await driver.mountLayer(chainId(2)), view);
  assert(isMountPoint(view));
  assertEquals(await Deno.readTextFile(`${view}/1`), "1");
  const error = await assertRejects(() => Deno.writeTextFile(`${view}/2`, "x"));
  assertStringIncludes(String(error), "os error 30"); // EROFS
  // Of a file that has none: zfs-fuse may not be asked that for the first time where it cannot write.
  assertEquals(await must("getfattr", "--absolute-names", "-d", "-m", "-", `${view}/1`), "");
  assertEquals((await driver.listLayers()).find(({ mounted }) => mounted)?.chainId, chainId(2));
  await driver.unmountLayer(chainId(2));
  await driver.unmountLayer(chainId(2));
  assertEquals([...Deno.readDirSync(`${scratch.store}/views`)], []);
});

Deno.test("a layer that is discarded leaves nothing, and its name is free", async () => {
  await using scratch = await Scratch.create();
  const before = await datasets(scratch.dataset);
  {
    await using staged = await scratch.driver.prepareLayer(chainId(1), null, "s");
    assert(isMountPoint(staged.root));
    await Deno.writeTextFile(`${staged.root}/a`, "x");
  }
  assertEquals(await datasets(scratch.dataset), before);
  assertEquals([...Deno.readDirSync(`${scratch.store}/views`)], []);
  await scratch.layer(1);
});

Deno.test("what a dead process has left of a layer is not taken over, and is swept", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const name = "dead".repeat(4);
  const dead = await driver.prepareLayer(chainId(1), null, name);
  await Deno.writeTextFile(`${dead.root}/stale`, "x");
  await scratch.layer(1);
  const view = await driver.mountLayer(chainId(1));
  assertEquals([...Deno.readDirSync(view)].map(({ name }) => name), ["1"]);
  assertEquals((await driver.listStrays()).staging, [name]);
  await driver.sweep(name);
  assertEquals((await driver.listStrays()).staging, []);
  // One that is still mounted.
  await driver.prepareLayer(chainId(2), null, name);
  await driver.sweep(name);
  assertEquals((await driver.listStrays()).staging, []);
  assertEquals(isMountPoint(`${scratch.store}/views/${chainId(2).slice(7)}`), false);
});

Deno.test("a dataset in a layer's place that is none is reported, and gives way", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await zfs("create", "-o", "canmount=noauto", scratch.layerDataset(1));
  await zfs("create", "-o", "canmount=noauto", scratch.layerDataset(2));
  await zfs("snapshot", `${scratch.layerDataset(2)}@layer`);
  assertEquals(await driver.listLayers(), []);
  assertEquals(await driver.findLayers([chainId(1), chainId(2)]), new Map());
  const broken = (await driver.listStrays()).brokenLayers;
  assertEquals(broken.map(({ name }) => name).sort(), [1, 2].map((n) => chainId(n).slice(7)));
  await scratch.layer(1);
  assertEquals(await driver.removeLayer(chainId(2)), "removed");
  assertEquals((await driver.listStrays()).brokenLayers, []);
  assertEquals((await driver.listLayers()).map(({ chainId }) => chainId), [chainId(1)]);
  // A whole one gives way to nobody.
  const error = await assertRejects(() => scratch.layer(1), LayerfsError);
  assertEquals(error.code, "conflict");
});

Deno.test("a container is a clone that has its own bytes", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  const before = await datasets(scratch.dataset);
  const container = await scratch.container("web+1", 1);
  await driver.createRootfs(container);
  assert(isMountPoint(container.rootfs));
  assertEquals(await Deno.readTextFile(`${container.rootfs}/1`), "1");
  const dataset = `${scratch.dataset}/containers/web:1`;
  assertEquals(await property(dataset, "origin"), `${scratch.layerDataset(1)}@layer`);
  assertEquals((await driver.listStrays()).containers, [container]);
  await Deno.writeFile(`${container.rootfs}/big`, crypto.getRandomValues(new Uint8Array(65536)));
  // What is not written to the pool yet is not counted yet; a snapshot writes it all.
  await zfs("snapshot", `${dataset}@written`);
  const states = await driver.rootfsStates([container, await scratch.container("absent", 1)]);
  assertEquals([...states.keys()], ["web+1"]);
  assertEquals(states.get("web+1")?.mounted, true);
  assert((states.get("web+1")?.ownBytes ?? 0) >= 65536);
  const again = await assertRejects(() => driver.createRootfs(container), LayerfsError);
  assertEquals(again.code, "conflict");
  await driver.unmountRootfs(container);
  await driver.unmountRootfs(container);
  assertEquals((await driver.rootfsStates([container])).get("web+1")?.mounted, false);
  const taken = await assertRejects(() => driver.createRootfs(container), LayerfsError);
  assertEquals(taken.code, "conflict");
  await driver.mountRootfs(container);
  await driver.mountRootfs(container);
  assert(isMountPoint(container.rootfs));
  await driver.removeRootfs(container);
  await driver.removeRootfs(container);
  assertEquals(await datasets(scratch.dataset), before);
  await assertRejects(() => Deno.stat(container.rootfs), Deno.errors.NotFound);
  await driver.createRootfs(container);
  await driver.removeRootfs(container);
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
});

Deno.test("a claim says whose a root filesystem is: another of the same id stays", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  for (const top of [1, null]) {
    const container = await scratch.container(`claimed${top}`, top);
    const dataset = `${scratch.dataset}/containers/claimed${top}`;
    await driver.createRootfs({ ...container, claim: "a".repeat(16) });
    assertEquals(await property(dataset, "org.layerfs:claim"), "a".repeat(16));
    const error = await assertRejects(
      () => driver.createRootfs({ ...container, rootfs: `${container.rootfs}2`, claim: "b" }),
      LayerfsError,
    );
    assertEquals(error.code, "conflict");
    assertStringIncludes(error.message, "there is a root filesystem of that name already");
    assertStringIncludes(error.message, "layerfs fsck --repair");
    const before = await datasets(scratch.dataset);
    await driver.removeRootfs(container, "b".repeat(16));
    assertEquals(await datasets(scratch.dataset), before);
    assert(isMountPoint(container.rootfs));
    await driver.removeRootfs(container, "a".repeat(16));
    assertEquals((await driver.listStrays()).containers, []);
    await assertRejects(() => Deno.stat(container.rootfs), Deno.errors.NotFound);
    await driver.removeRootfs(container, "a".repeat(16));
    // One that was made without a claim.
    await driver.createRootfs(container);
    await driver.removeRootfs(container, "a".repeat(16));
    assert(isMountPoint(container.rootfs));
    await driver.removeRootfs(container);
  }
});

Deno.test("datasets that others have made among those of the store are neither listed nor swept", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  await zfs("create", "-o", "mountpoint=none", `${dataset}/staging/backup`);
  await zfs("create", "-o", "mountpoint=none", `${dataset}/containers/theirs`);
  // What is set on a dataset above says nothing of it.
  await zfs("set", "org.layerfs:top=none", `${dataset}/containers`);
  const before = await datasets(dataset);
  assertEquals(await driver.listStrays(), {
    staging: [],
    waiting: [],
    containers: [],
    brokenLayers: [],
  });
  const { layers, ...strays } = await driver.survey();
  assertEquals(strays, { staging: [], waiting: [], containers: [] });
  assertEquals(await layers(), []);
  await driver.sweep("backup");
  assertEquals(await datasets(dataset), before);
});

Deno.test("a container that begins empty", async () => {
  await using scratch = await Scratch.create();
  const container = await scratch.container("empty", null);
  await scratch.driver.createRootfs(container);
  assert(isMountPoint(container.rootfs));
  assertEquals([...Deno.readDirSync(container.rootfs)], []);
  assertEquals((await scratch.driver.listStrays()).containers, [container]);
  await scratch.driver.removeRootfs(container);
});

Deno.test("a quota stops the container, not the layers", async () => {
  await using scratch = await Scratch.create();
  await scratch.layer(1);
  const container = await scratch.container("small", 1);
  await scratch.driver.createRootfs({ ...container, quota: 2 * 1024 * 1024 });
  const bytes = crypto.getRandomValues(new Uint8Array(65536));
  const error = await assertRejects(async () => {
    for (let i = 0; i < 128; i++) await Deno.writeFile(`${container.rootfs}/${i}`, bytes);
  });
  assertStringIncludes(String(error), "os error 122"); // EDQUOT
  await scratch.driver.removeRootfs(container);
});

Deno.test("a store or a pool that is too small is a full one", async () => {
  await using scratch = await Scratch.create();
  const container = await scratch.container("c", null);
  const error = await assertRejects(
    () => scratch.driver.createRootfs({ ...container, quota: 1 }),
    LayerfsError,
  );
  assertEquals(error.code, "storage-full");
});

Deno.test("one call of zfs at most, however many layers and containers", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const numbers = [1, 2, 3, 4, 5];
  for (const n of numbers) await scratch.layer(n, n === 1 ? null : n - 1);
  const containers = await Promise.all(["a", "b", "c"].map((id) => scratch.container(id, 5)));
  const fuse = await isZfsFuse();
  for (const container of containers) {
    const calls = await callsOf(scratch.dataset, () => driver.createRootfs(container));
    assertEquals(calls.map(([verb]) => verb), fuse ? ["clone"] : ["clone", "mount"]);
  }
  const ids = numbers.map(chainId);
  const one = [
    () => driver.findLayers(ids),
    // Far too many for one command line.
    () => driver.findLayers(Array.from({ length: 20_000 }, (_, n) => chainId(n + 1))),
    () => driver.listLayers(),
    () => driver.rootfsStates(containers),
    () => driver.listStrays(),
    () => driver.survey(),
    () => driver.measure(containers),
    () => driver.mountLayer(chainId(3)),
    () => driver.unmountLayer(chainId(3)),
  ];
  for (const work of one) {
    const calls = await callsOf(scratch.dataset, work);
    assertEquals(calls.length, 1, `${work}: ${JSON.stringify(calls).slice(0, 500)}`);
  }
  const found = await driver.findLayers(Array.from({ length: 20_000 }, (_, n) => chainId(n + 1)));
  assertEquals([...found.keys()], ids);
  assertEquals((await callsOf(scratch.dataset, () => driver.findLayers([]))).length, 0);
  const made = await callsOf(scratch.dataset, () => scratch.layer(6, 5));
  // A dataset that is busy for a moment is tried again.
  const verbs = made.map(([verb]) => verb).filter((verb, i, all) => verb !== all[i - 1]);
  const mount = fuse ? [] : ["mount"];
  assertEquals(verbs, ["clone", ...mount, "unmount", "snapshot", "get", "rename"]);
});

Deno.test("a chain of 130 layers", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const before = await datasets(scratch.dataset);
  for (let n = 1; n <= 130; n++) await scratch.layer(n, n === 1 ? null : n - 1);
  const container = await scratch.container("deep", 130);
  await driver.createRootfs(container);
  const names = [...Deno.readDirSync(container.rootfs)].map(({ name }) => Number(name));
  assertEquals(names.sort((a, b) => a - b), Array.from({ length: 130 }, (_, n) => n + 1));
  assertEquals((await driver.listLayers()).length, 130);
  await driver.removeRootfs(container);
  for (let n = 130; n >= 1; n--) assertEquals(await driver.removeLayer(chainId(n)), "removed");
  assertEquals(await datasets(scratch.dataset), before);
});

Deno.test("capacity is that of the root dataset", async () => {
  await using scratch = await Scratch.create();
  const { usedBytes, availableBytes } = (await scratch.driver.measure([])).capacity;
  assertEquals(usedBytes, Number(await property(scratch.dataset, "used")));
  assert(availableBytes > 1024 * 1024, `${availableBytes}`);
});
