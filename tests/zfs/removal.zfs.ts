/** Removal of what is in use: by processes, by other mount namespaces, by foreign clones and holds. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { isMountPoint } from "../../src/store/mount_point.ts";
import { end } from "../fixtures/child.ts";
import { callsOf, chainId, datasets, isZfsFuse, must, Scratch, zfs } from "./harness.ts";

/** A process that works in `directory`, until it is disposed of. */
class Squatter implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** @param args a program that says something once it is where it is to be, and then stays */
  static async start(cwd: string, program: string, ...args: string[]): Promise<Squatter> {
    const pipes = { stdin: "null", stdout: "piped", stderr: "null" } as const;
    const child = new Deno.Command(program, { args, cwd, ...pipes }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    assertEquals(done, false);
    return new Squatter(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

/** The kernel ends the mount namespace of a process a moment after the process. */
async function retried(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LayerfsError && error.code === "busy")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await work();
}

const STAY = ["-c", "echo here; exec sleep 600"];

Deno.test("a container that a process uses stays whole, and the process is named", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("used", null);
  await driver.createRootfs(container);
  await zfs("snapshot", `${scratch.dataset}/containers/used@mine`);
  const before = await datasets(scratch.dataset);
  {
    await using squatter = await Squatter.start(container.rootfs, "sh", ...STAY);
    for (const work of [driver.unmountRootfs, driver.removeRootfs]) {
      const error = await assertRejects(() => work.call(driver, container), LayerfsError);
      assertEquals(error.code, "busy");
      assertStringIncludes(error.message, `sleep (${squatter.pid})`);
      assert(isMountPoint(container.rootfs));
      assertEquals(await datasets(scratch.dataset), before);
    }
  }
  await driver.removeRootfs(container);
  assertEquals((await driver.listStrays()).containers, []);
});

Deno.test("a container that is in use for another moment is removed after that", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("used", null);
  await driver.createRootfs(container);
  const moment = ["-c", "echo here; exec sleep 0.9"];
  await using _squatter = await Squatter.start(container.rootfs, "sh", ...moment);
  const calls = await callsOf(scratch.dataset, () => driver.removeRootfs(container));
  const tries = calls.filter(([verb]) => verb === "unmount").length;
  assert(tries > 1, `${tries} tries`);
  assertEquals((await driver.listStrays()).containers, []);
  await assertRejects(() => Deno.stat(container.rootfs), Deno.errors.NotFound);
});

Deno.test("a mount in a container is named, and nothing is removed", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("outer", null);
  await driver.createRootfs(container);
  const inner = `${container.rootfs}/inner`;
  await Deno.mkdir(inner);
  await must("mount", "-t", "tmpfs", "layerfs-test", inner);
  const error = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
  await must("umount", inner);
  assertEquals(error.code, "busy");
  assertStringIncludes(error.message, `"${inner}" is mounted in it`);
  await driver.removeRootfs(container);
});

Deno.test("a copy of the mount in another namespace is found; the container is mounted again", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("elsewhere", null);
  await driver.createRootfs(container);
  await Deno.writeTextFile(`${container.rootfs}/precious`, "x");
  {
    const args = ["--mount", "--propagation", "private", "sh", ...STAY];
    await using squatter = await Squatter.start("/", "unshare", ...args);
    const error = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
    assertEquals(error.code, "busy");
    assertStringIncludes(error.message, `sleep (${squatter.pid})`);
    // zfs-fuse mounts it a second time only once the copy has gone.
    assertEquals(isMountPoint(container.rootfs), !await isZfsFuse());
    assertEquals(error.message.includes("it is unmounted now"), await isZfsFuse());
  }
  await retried(() => driver.mountRootfs(container));
  assertEquals(await Deno.readTextFile(`${container.rootfs}/precious`), "x");
  await driver.removeRootfs(container);
  assertEquals((await driver.listStrays()).containers, []);
});

Deno.test("a container that something is cloned from, or held of, is left as it was", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("parent", null);
  await driver.createRootfs(container);
  const dataset = `${scratch.dataset}/containers/parent`;
  const foreign = `${scratch.dataset}/foreign`;
  await zfs("snapshot", `${dataset}@mine`);
  await zfs("clone", "-o", "mountpoint=none", `${dataset}@mine`, foreign);
  const before = await datasets(scratch.dataset);
  const cloned = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
  assertEquals(cloned.code, "conflict");
  assertStringIncludes(cloned.message, foreign);
  assert(isMountPoint(container.rootfs));
  assertEquals(await datasets(scratch.dataset), before);
  await zfs("destroy", foreign);
  await zfs("hold", "keep", `${dataset}@mine`);
  const held = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
  assertEquals(held.code, "busy");
  assertStringIncludes(held.message, "zfs release");
  assert(isMountPoint(container.rootfs));
  await zfs("release", "keep", `${dataset}@mine`);
  await driver.removeRootfs(container);
  assertEquals((await driver.listStrays()).containers, []);
});

Deno.test("a container with a held snapshot loses none of the others", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("c", null);
  await driver.createRootfs(container);
  const snapshots = ["a", "b", "c"].map((name) => `${scratch.dataset}/containers/c@${name}`);
  for (const snapshot of snapshots) await zfs("snapshot", snapshot);
  const before = await datasets(scratch.dataset);
  for (const snapshot of snapshots) {
    await zfs("hold", "keep", snapshot);
    const error = await assertRejects(() => driver.removeRootfs(container), LayerfsError);
    await zfs("release", "keep", snapshot);
    assertEquals(error.code, "busy");
    assertStringIncludes(error.message, `"zfs holds ${snapshot}"`);
    assertEquals(await datasets(scratch.dataset), before);
    assert(isMountPoint(container.rootfs));
  }
  await driver.removeRootfs(container);
  assertEquals((await driver.listStrays()).containers, []);
});

Deno.test("a layer with a foreign clone goes once that has gone", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  const before = await datasets(dataset);
  await scratch.layer(1);
  await scratch.layer(2, 1);
  const foreign = `${dataset}/foreign`;
  await zfs("clone", "-o", "mountpoint=none", `${scratch.layerDataset(2)}@layer`, foreign);
  assertEquals(await driver.removeLayer(chainId(2)), "deferred");
  assertEquals(await driver.removeLayer(chainId(1)), "deferred");
  assertEquals(await driver.listLayers(), []);
  assertEquals(await driver.findLayers([chainId(1), chainId(2)]), new Map());
  // They wait: neither litter nor broken.
  const { waiting, ...strays } = await driver.listStrays();
  assertEquals(strays, { staging: [], containers: [], brokenLayers: [] });
  assertEquals(waiting.map(({ detail }) => /cloned/.test(detail)), [true, true]);
  const container = await scratch.container("c", 2);
  const missing = await assertRejects(() => driver.createRootfs(container), LayerfsError);
  assertEquals(missing.code, "not-found");
  // The names can be used again meanwhile.
  await scratch.layer(1);
  await scratch.layer(2, 1);
  await driver.createRootfs(container);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/2`), "2");
  await driver.removeRootfs(container);
  assertEquals(await driver.removeLayer(chainId(2)), "removed");
  assertEquals(await driver.removeLayer(chainId(1)), "removed");

  await zfs("destroy", foreign);
  for (let round = 0; round < 2; round++) {
    // The lower one is litter once the upper one has gone.
    const { staging } = await driver.listStrays();
    assertEquals(staging.length, 1);
    for (const name of staging) await driver.sweep(name);
  }
  assertEquals(await datasets(dataset), before);
});

Deno.test("a layer with a hold goes once that is released", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  const before = await datasets(dataset);
  await scratch.layer(1);
  await zfs("hold", "keep", `${scratch.layerDataset(1)}@layer`);
  assertEquals(await driver.removeLayer(chainId(1)), "deferred");
  assertEquals(await driver.listLayers(), []);
  const { waiting, ...strays } = await driver.listStrays();
  assertEquals(strays, { staging: [], containers: [], brokenLayers: [] });
  assertEquals(waiting.map(({ detail }) => /zfs release/.test(detail)), [true]);
  const [left] = (await datasets(`${dataset}/staging`)).filter((name) => name.endsWith("@layer"));
  assert(left !== undefined);
  await driver.sweep(left.slice(`${dataset}/staging/`.length, -"@layer".length));
  assert((await datasets(dataset)).includes(left));
  await zfs("release", "keep", left);
  const { staging } = await driver.listStrays();
  assertEquals(staging.length, 1);
  for (const name of staging) await driver.sweep(name);
  assertEquals(await datasets(dataset), before);
});

Deno.test("a layer that another layer or a container is on top of is not removed", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  await scratch.layer(2, 1);
  const container = await scratch.container("top", 2);
  await driver.createRootfs(container);
  // A rename unmounts all that depends on the dataset, and zfs-fuse finds it busy after that.
  await driver.unmountRootfs(container);
  const before = await datasets(scratch.dataset);
  const view = await driver.mountLayer(chainId(1));
  const file = (n: number) => `${scratch.store}/layers/${chainId(n).slice(7)}.json`;
  // Not what ZFS would say now.
  for (const n of [1, 2]) {
    await Deno.writeTextFile(
      file(n),
      (await Deno.readTextFile(file(n))).replace(/"bytes":\s*\d+/, '"bytes":77'),
    );
  }
  const listed = await driver.listLayers();
  assert(listed.every(({ bytes }) => bytes === 77), JSON.stringify(listed));
  // More than once: what could not be destroyed is busy for a moment.
  for (const n of [1, 2, 1, 1, 2, 2]) {
    const error = await assertRejects(() => driver.removeLayer(chainId(n)), LayerfsError);
    assertEquals([error.code, error.message], ["conflict", error.message]);
    assertStringIncludes(error.message, "depends on");
    assertEquals(await datasets(scratch.dataset), before);
    assertEquals(await driver.listLayers(), listed);
    assertEquals([...Deno.readDirSync(view)].map(({ name }) => name), ["1"]);
    const readOnly = await assertRejects(() => Deno.writeTextFile(`${view}/2`, "x"));
    assertStringIncludes(String(readOnly), "os error 30"); // EROFS
  }
  await driver.unmountLayer(chainId(1));
  await driver.removeRootfs(container);
});

Deno.test("a broken layer below a container stays, and the container mounted", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  const container = await scratch.container("top", 1);
  await driver.createRootfs(container);
  await zfs("set", "org.layerfs:traits=unknown", `${scratch.layerDataset(1)}@layer`);
  const before = await datasets(scratch.dataset);
  const error = await assertRejects(() => driver.repairLayer(chainId(1)), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, '"layerfs rm top"');
  assertEquals(await datasets(scratch.dataset), before);
  assert(isMountPoint(container.rootfs));
  await driver.removeRootfs(container);
  await driver.repairLayer(chainId(1));
  assertEquals(await driver.listLayers(), []);
});

Deno.test("a mounted layer is unmounted first; one that is in use stays", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  await scratch.layer(1);
  const view = await driver.mountLayer(chainId(1));
  {
    await using squatter = await Squatter.start(view, "sh", ...STAY);
    const error = await assertRejects(() => driver.removeLayer(chainId(1)), LayerfsError);
    assertEquals(error.code, "busy");
    assertStringIncludes(error.message, `sleep (${squatter.pid})`);
    assertEquals((await driver.findLayers([chainId(1)])).size, 1);
  }
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
  assertEquals([...Deno.readDirSync(`${scratch.store}/views`)], []);
});

Deno.test("what was written into a mount point while nothing was mounted goes with it", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("c", null);
  await driver.createRootfs(container);
  await driver.unmountRootfs(container);
  await Deno.mkdir(container.rootfs, { recursive: true });
  await Deno.writeTextFile(`${container.rootfs}/stray`, "x");
  await driver.removeRootfs(container);
  await assertRejects(() => Deno.stat(container.rootfs), Deno.errors.NotFound);
});

Deno.test("a dataset mounted elsewhere than expected is said to be", async () => {
  await using scratch = await Scratch.create();
  const { driver } = scratch;
  const container = await scratch.container("moved", null);
  await driver.createRootfs(container);
  await driver.unmountRootfs(container);
  const moved = { ...container, rootfs: `${scratch.store}/elsewhere` };
  const error = await assertRejects(() => driver.mountRootfs(moved), LayerfsError);
  assertEquals(error.code, "storage");
  assertStringIncludes(error.message, `zfs set mountpoint=${moved.rootfs}`);
  assertEquals(isMountPoint(container.rootfs), false);
});
