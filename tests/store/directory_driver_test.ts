/** The driver "directory": the contract, and what is its own. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fs from "node:fs";
import { LayerfsError } from "../../src/errors.ts";
import { DirectoryDriver } from "../../src/store/directory/directory_driver.ts";
import { canReflink } from "../../src/store/directory/reflink.ts";
import { diskUsage } from "../../src/store/disk_usage.ts";
import { LayerDirectory } from "../../src/store/layer_files.ts";
import { removeTree } from "../../src/store/remove_tree.ts";
import { dir, file } from "../fixtures/tar.ts";
import { assertTree, d, f, IS_ROOT, output } from "../fixtures/tree.ts";
import { type ContractOptions, driverContract } from "./contract.ts";
import { Ground, noise, unknownDigest } from "./contract_ground.ts";

const OPTIONS = {
  hasQuota: false,
  mountsRootfs: false,
  keepsRootfsOutside: false,
  keepsLowerHardlinks: true,
  tellsChanges: false,
  // Where blocks cannot be shared, all layers together take as many whole trees: 200 of them are
  // tried on btrfs (tests/platform/directory_contract.platform.ts).
  layers: 40,
};
const KEEPING: ContractOptions = { ...OPTIONS, keepsLayers: true };
const UNPACKING: ContractOptions = { ...OPTIONS, keepsLayers: false };

async function open({ keepsLayers }: ContractOptions) {
  const store = await Deno.makeTempDir({ prefix: "layerfs-directory-" });
  const dispose = () => removeTree(store);
  return { driver: new DirectoryDriver(store, keepsLayers), store, dispose };
}

driverContract("directory with layers", () => open(KEEPING), KEEPING);
driverContract("directory without layers", () => open(UNPACKING), UNPACKING);

/** Registers a test with a store that keeps layers. */
function layered(name: string, run: (ground: Ground) => Promise<void>, ignore = false): void {
  const fn = async () => {
    await using ground = await Ground.open(() => open(KEEPING), KEEPING);
    await run(ground);
  };
  Deno.test({ name: `directory: ${name}`, ignore, fn });
}

Deno.test("directory: without layers there are none, and none can be made", async () => {
  await using ground = await Ground.open(() => open(UNPACKING), UNPACKING);
  const { driver } = ground;
  const id = unknownDigest();
  assertEquals(await driver.findLayers([id]), new Map());
  assertEquals(await driver.listLayers(), []);
  const name = ground.stagingName();
  const error = await assertRejects(() => driver.prepareLayer(id, null, name), LayerfsError);
  assertEquals(error.code, "unexpected");
  await removeTree(`${ground.store}/staging/${name}`);
  // The layers of its image are unpacked by the caller.
  const container = { ...ground.rootfsOf("one", null), top: id };
  await driver.createRootfs(container);
  assertEquals(fs.readdirSync(container.rootfs), []);
});

layered("what is no whole layer is told, not found, and gives way to a new one", async (ground) => {
  const { driver, store } = ground;
  const layers = `${store}/layers`;
  const whole = await ground.layer([dir("./"), file("a", "whole")]);
  const hex = (text: string) => unknownDigest(text).slice("sha256:".length);
  const record = fs.readFileSync(`${layers}/${whole.chainId.slice(7)}/layer.json`, "utf8");
  const broken: Record<string, string | null> = {
    "no record": null,
    "no JSON": record.slice(0, -10),
    "no object": "null",
    "another version": record.replace('"version":1', '"version":2'),
    "no traits": record.replace('"traits"', '"treats"'),
    "no digest": record.replace(whole.diffId, "sha256:abc"),
    "that of another layer": record,
  };
  for (const [name, text] of Object.entries(broken)) {
    fs.mkdirSync(`${layers}/${hex(name)}/tree`, { recursive: true });
    fs.writeFileSync(`${layers}/${hex(name)}/tree/rest`, "rest");
    if (text !== null) fs.writeFileSync(`${layers}/${hex(name)}/layer.json`, text);
  }
  const ids = Object.keys(broken).map(unknownDigest);
  assertEquals(await driver.findLayers(ids), new Map());
  assertEquals((await driver.listLayers()).map(({ chainId }) => chainId), [whole.chainId]);
  const { brokenLayers } = await driver.listStrays();
  assertEquals(brokenLayers.map(({ name }) => name), Object.keys(broken).map(hex).sort());
  assert(brokenLayers.every(({ reason }) => reason.length > 0));
  for (const chainId of ids) {
    const made = await ground.layer([dir("./"), file("a", "made")], null, chainId);
    await ground.see(made, (root) => assertTree(root, { "": d(), a: f("made") }));
  }
  const { staging, ...left } = await driver.listStrays();
  assertEquals(left, { waiting: [], containers: [], brokenLayers: [] });
  for (const replaced of staging) await driver.sweep(replaced);
});

layered("a damaged layer is not removed by a repair, and replaced by a new one", async (ground) => {
  const { driver, store } = ground;
  const { chainId } = await ground.layer([dir("./"), file("a", "first")]);
  const place = `${store}/layers/${chainId.slice(7)}`;
  fs.writeFileSync(`${place}/layer.json`, "damaged");
  const error = await assertRejects(() => driver.repairLayer(chainId), LayerfsError);
  assertEquals(error.code, "storage");
  assertEquals(fs.readFileSync(`${place}/tree/a`, "utf8"), "first");
  await ground.layer([dir("./"), file("a", "second")], null, chainId);
  assertEquals(fs.readFileSync(`${place}/tree/a`, "utf8"), "second");
  await driver.repairLayer(chainId); // nothing is wrong with it any more
  const { staging, brokenLayers } = await driver.listStrays();
  assertEquals([staging.length, brokenLayers.length], [1, 0]);
  const [replaced = ""] = staging;
  assertEquals(fs.readFileSync(`${store}/layers/${replaced}/tree/a`, "utf8"), "first");
  await driver.sweep(replaced);
  assertEquals(fs.readdirSync(`${store}/layers`), [chainId.slice(7)]);
});

layered("a damaged layer that is mounted stays as long", async (ground) => {
  const { driver, store } = ground;
  const { chainId } = await ground.layer([dir("./"), file("a", "first")]);
  const view = await driver.mountLayer(chainId);
  fs.writeFileSync(`${store}/layers/${chainId.slice(7)}/layer.json`, "damaged");
  await ground.layer([dir("./"), file("a", "second")], null, chainId);
  const [replaced = ""] = (await driver.listStrays()).staging;
  const error = await assertRejects(() => driver.sweep(replaced), LayerfsError);
  assertEquals(error.code, "busy");
  assertEquals(fs.readFileSync(`${view}/a`, "utf8"), "first");
  await driver.unmountLayer(chainId);
  await driver.sweep(replaced);
  await driver.mountLayer(chainId);
  assertEquals(fs.readFileSync(`${view}/a`, "utf8"), "second");
  await removeTree(`${store}/layers/${chainId.slice(7)}`); // what is mounted is a removed directory
  await driver.unmountLayer(chainId);
}, !IS_ROOT);

layered("what somebody has mounted over a view stays", async (ground) => {
  const { driver } = ground;
  const { chainId } = await ground.layer([file("a", "a")]);
  const view = await driver.mountLayer(chainId);
  await output("mount", ["-t", "tmpfs", "-o", "size=1m", "layerfs-test", view]);
  try {
    for (const act of [() => driver.unmountLayer(chainId), () => driver.removeLayer(chainId)]) {
      const error = await assertRejects<LayerfsError>(act, LayerfsError);
      assertEquals([error.code, error.data.path], ["busy", view]);
    }
  } finally {
    await output("umount", [view]);
  }
  assertEquals(fs.readFileSync(`${view}/a`, "utf8"), "a");
  await driver.unmountLayer(chainId);
}, !IS_ROOT);

layered("the place of layers is made anew where somebody has removed it", async (ground) => {
  await removeTree(`${ground.store}/layers`);
  const { chainId } = await ground.layer([file("a", "a")]);
  assertEquals([...(await ground.driver.findLayers([chainId])).keys()], [chainId]);
});

layered("a layer without its tree is broken", async (ground) => {
  const { chainId } = await ground.layer([file("a")]);
  const layers = new LayerDirectory(`${ground.store}/layers`, "tree");
  await removeTree(layers.content(chainId));
  assertEquals(layers.find(chainId), null);
  assertEquals(layers.list().broken.length, 1);
  await ground.driver.removeLayer(chainId);
  assertEquals(layers.list(), { layers: [], broken: [] });
});

layered("a file that its owner cannot read is copied all the same", async (ground) => {
  const top = await ground.layer([
    file("sudo", "sudo", { mode: 0o111 }),
    dir("closed", { mode: 0o300 }),
    file("closed/f", "f", { mode: 0 }),
  ]);
  const { rootfs } = await ground.container("one", await ground.layer([file("more")], top));
  const modes = ["sudo", "closed", "closed/f"].map((name) =>
    fs.statSync(`${rootfs}/${name}`).mode & 0o777
  );
  assertEquals(modes, [0o111, 0o300, 0]);
});

layered("a mount in a container keeps it from being removed", async (ground) => {
  const { driver } = ground;
  const container = await ground.container("one", await ground.layer([dir("d"), file("a", "a")]));
  await output("mount", ["-t", "tmpfs", "-o", "size=1m", "layerfs-test", `${container.rootfs}/d`]);
  try {
    const error = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
    assertEquals([error.code, error.data.mount], ["busy", `${container.rootfs}/d`]);
    assertEquals(fs.readFileSync(`${container.rootfs}/a`, "utf8"), "a");
  } finally {
    await output("umount", [`${container.rootfs}/d`]);
  }
}, !IS_ROOT);

layered("a view in use is busy", async (ground) => {
  const { chainId } = await ground.layer([file("a", "a")]);
  const view = await ground.driver.mountLayer(chainId);
  const open = fs.openSync(`${view}/a`, "r");
  try {
    const { driver } = ground;
    for (const act of [() => driver.unmountLayer(chainId), () => driver.removeLayer(chainId)]) {
      const error = await assertRejects<LayerfsError>(act, LayerfsError);
      assertEquals(error.code, "busy");
    }
  } finally {
    fs.closeSync(open);
  }
  assertEquals((await ground.driver.listLayers()).map(({ mounted }) => mounted), [true]);
}, !IS_ROOT);

layered("only root can mount a view", async (ground) => {
  const { chainId } = await ground.layer([file("a", "a")]);
  const error = await assertRejects(() => ground.driver.mountLayer(chainId), LayerfsError);
  assertEquals(error.code, "privilege-missing");
}, IS_ROOT);

Deno.test({
  name: "directory: a full disk is storage-full, and leaves no layer",
  ignore: !IS_ROOT,
  fn: async () => {
    const store = await Deno.makeTempDir({ prefix: "layerfs-directory-" });
    await output("mount", ["-t", "tmpfs", "-o", "size=4m,mode=700", "layerfs-test", store]);
    const dispose = async () => {
      await output("umount", [store]);
      await removeTree(store);
    };
    const driver = new DirectoryDriver(store, true);
    await using ground = await Ground.open(
      () => Promise.resolve({ driver, store, dispose }),
      KEEPING,
    );
    const base = await ground.layer([file("large", noise(3 * 1024 * 1024))]);
    const name = ground.stagingName();
    const acts: (() => Promise<unknown>)[] = [
      () => driver.prepareLayer(unknownDigest(), base, name),
      () => driver.createRootfs(ground.rootfsOf("one", base)),
    ];
    for (const act of acts) {
      const error = await assertRejects(act, LayerfsError);
      assertEquals(error.code, "storage-full");
    }
    await removeTree(`${store}/staging/${name}`);
    assertEquals((await driver.listLayers()).length, 1);
  },
});

Deno.test("directory: the probe for shared blocks leaves nothing", async () => {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-reflink-" });
  try {
    const can = await canReflink(directory);
    assertEquals(fs.readdirSync(directory), []);
    fs.writeFileSync(`${directory}/from`, new Uint8Array(4096));
    const args = ["--reflink=always", `${directory}/from`, `${directory}/to`];
    assertEquals(can, await output("cp", args).then(() => true, () => false));
    const missing = `${directory}/missing`;
    const error = await assertRejects(() => canReflink(missing), LayerfsError);
    assertEquals(error.code, "not-found");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("what directories take on disk is measured in one go", async () => {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-usage-" });
  try {
    assertEquals(await diskUsage([]), new Map());
    const [odd, other] = [`${directory}/a b\nc`, `${directory}/d`];
    fs.mkdirSync(odd);
    fs.mkdirSync(other);
    fs.writeFileSync(`${odd}/f`, noise(1024 * 1024));
    const found = await diskUsage([odd, `${directory}/missing`, other]);
    assertEquals([...found.keys()], [odd, other]);
    const difference = (found.get(odd) ?? NaN) - (found.get(other) ?? NaN);
    assert(difference >= 1024 * 1024 && difference < 1024 * 1024 * 1.1, `${difference}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
