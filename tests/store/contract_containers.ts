/**
 * The contract of drivers: root filesystems of containers.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import fs from "node:fs";
import { LayerfsError } from "../../src/errors.ts";
import type { ContainerRootfs } from "../../src/store/driver.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { dir, file } from "../fixtures/tar.ts";
import { assertTree, d, f } from "../fixtures/tree.ts";
import { bash } from "./contract_compare.ts";
import { type ContractTest, type Ground, noise } from "./contract_ground.ts";

const LAYERS = [
  [dir("./"), dir("d"), file("d/a", "a"), file("d/b", "b"), file("base", "base")],
  [dir("d"), file("top", "top", { mode: 0o600, uid: 4 })],
];
const TREE = {
  "": d(),
  d: d(),
  "d/a": f("a"),
  "d/b": f("b"),
  base: f("base"),
  top: f("top", { mode: 0o600, owner: "4:0" }),
};

/** The top of a small stack, or null for a driver that keeps no layers. */
function topOf(ground: Ground): Promise<LayerRecord | null> {
  return ground.options.keepsLayers ? ground.stack(...LAYERS) : Promise.resolve(null);
}

function read(container: ContainerRootfs, path: string): string | null {
  const file = `${container.rootfs}/${path}`;
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : null;
}

async function empty(ground: Ground): Promise<void> {
  const container = await ground.container("empty", null);
  assertEquals(fs.readdirSync(container.rootfs), []);
  const { mode, uid } = fs.statSync(container.rootfs);
  assertEquals([mode & 0o7777, uid], [0o755, Deno.uid()]);
  await Deno.writeTextFile(`${container.rootfs}/new`, "new");
  assertEquals(read(container, "new"), "new");
}

async function apart(ground: Ground): Promise<void> {
  const top = await ground.stack(...LAYERS);
  const [one, other] = [await ground.container("one", top), await ground.container("other", top)];
  await assertTree(one.rootfs, TREE);
  fs.writeFileSync(`${one.rootfs}/base`, "changed");
  fs.appendFileSync(`${one.rootfs}/d/a`, "+");
  fs.unlinkSync(`${one.rootfs}/d/b`);
  fs.writeFileSync(`${one.rootfs}/new`, "new");
  fs.chmodSync(`${one.rootfs}/d`, 0o700);
  assertEquals(read(one, "d/a"), "a+");
  await assertTree(other.rootfs, TREE);
  await ground.see(top, (root) => assertTree(root, TREE));
  await assertTree((await ground.container("late", top)).rootfs, TREE);
}

async function nameUsedAgain(ground: Ground): Promise<void> {
  const { driver } = ground;
  const top = await topOf(ground);
  const absent = ground.rootfsOf("name", top);
  await driver.removeRootfs(absent);
  assertEquals((await driver.listStrays()).containers, []);
  const before = await ground.inventory();
  for (const content of ["one", "other"]) {
    const container = await ground.container("name", top);
    assertEquals(read(container, "mine"), null);
    fs.writeFileSync(`${container.rootfs}/mine`, content);
    const kept = ground.options.keepsRootfsOutside ? [container] : [];
    assertEquals((await driver.listStrays()).containers, kept);
    await driver.removeRootfs(container);
    await driver.removeRootfs(container);
    assert(!fs.existsSync(container.rootfs));
    assertEquals((await driver.listStrays()).containers, []);
    assertEquals(await ground.inventory(), before);
  }
  // Of another one, killed while it was made, there is the directory and no more.
  fs.mkdirSync(absent.rootfs);
  await driver.removeRootfs(absent);
  assertEquals(await ground.inventory(), before);
}

/** What is in the way of a new root filesystem is not taken for one, and not harmed. */
async function inTheWay(ground: Ground): Promise<void> {
  const top = await topOf(ground);
  const container = await ground.container("one", top);
  fs.writeFileSync(`${container.rootfs}/mine`, "mine");
  await assertRejects(() => ground.driver.createRootfs(container), LayerfsError);
  assertEquals(read(container, "mine"), "mine");
}

async function keepsChanges(ground: Ground): Promise<void> {
  const { driver } = ground;
  const container = await ground.container("one", await ground.stack(...LAYERS));
  const mounted = async () => (await driver.rootfsStates([container])).get("one")?.mounted;
  assertEquals(await mounted(), true);
  fs.writeFileSync(`${container.rootfs}/base`, "changed");
  fs.unlinkSync(`${container.rootfs}/top`);
  fs.rmSync(`${container.rootfs}/d`, { recursive: true });
  fs.mkdirSync(`${container.rootfs}/d`);
  await driver.mountRootfs(container); // it is mounted: nothing happens
  for (let round = 0; round < 2; round++) {
    await driver.unmountRootfs(container);
    await driver.unmountRootfs(container);
    assertEquals(await mounted(), !ground.options.mountsRootfs);
    if (ground.options.mountsRootfs) assertEquals(fs.readdirSync(container.rootfs), []);
    await driver.mountRootfs(container);
    await driver.mountRootfs(container);
    assertEquals(await mounted(), true);
    assertEquals(read(container, "base"), "changed");
    assertEquals(read(container, "top"), null);
    assertEquals(fs.readdirSync(`${container.rootfs}/d`), []);
    fs.writeFileSync(`${container.rootfs}/round`, `${round}`);
  }
  await driver.unmountRootfs(container);
  await driver.removeRootfs(container);
  assert(!fs.existsSync(container.rootfs));
}

async function states(ground: Ground): Promise<void> {
  const { driver } = ground;
  const top = await topOf(ground);
  assertEquals(await driver.rootfsStates([]), new Map());
  const one = await ground.container("one", top);
  const other = await ground.container("other", null);
  const nobody = ground.rootfsOf("nobody", top);
  const mebibyte = 1024 * 1024;
  const before = (await driver.rootfsStates([one])).get("one");
  assertEquals(before?.mounted, true);
  fs.writeFileSync(`${one.rootfs}/noise`, noise(2 * mebibyte));
  await bash(one.rootfs, "sync --file-system .");
  const own = async () => (await driver.rootfsStates([one])).get("one")?.ownBytes ?? NaN;
  // ZFS counts what it has written, which it does after some seconds, whatever sync says.
  for (let tries = 0; tries < 100 && await own() < 2 * mebibyte; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const found = await driver.rootfsStates([one, nobody, other]);
  assertEquals([found.get("one")?.mounted, found.get("other")?.mounted], [true, true]);
  // One that is not there may be left out.
  assertEquals(found.get("nobody") ?? { mounted: false, ownBytes: 0 }, {
    mounted: false,
    ownBytes: 0,
  });
  const grown = (found.get("one")?.ownBytes ?? NaN) - (before?.ownBytes ?? NaN);
  assert(grown >= 2 * mebibyte && grown < 2.5 * mebibyte, `${grown} bytes more, not 2 MiB`);
  const small = found.get("other")?.ownBytes ?? NaN;
  assert(small >= 0 && small < mebibyte, `${small} bytes of an empty container`);
}

async function busy(ground: Ground): Promise<void> {
  const { driver } = ground;
  const container = await ground.container("one", await topOf(ground));
  fs.writeFileSync(`${container.rootfs}/mine`, "mine");
  const user = new Deno.Command("bash", {
    args: ["-c", "echo; read"],
    cwd: container.rootfs,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const reader = user.stdout.getReader();
    await reader.read(); // it is there
    for (const act of [driver.unmountRootfs, driver.removeRootfs]) {
      const error = await assertRejects(() => act.call(driver, container), LayerfsError);
      assertEquals(error.code, "busy");
      assertStringIncludes(error.message, `${user.pid}`);
    }
    await reader.cancel();
  } finally {
    await user.stdin.close();
    await user.status;
  }
  assertEquals(read(container, "mine"), "mine");
  await driver.removeRootfs(container);
  assert(!fs.existsSync(container.rootfs));
}

async function quota(ground: Ground): Promise<void> {
  const mebibyte = 1024 * 1024;
  const top = await topOf(ground);
  const limited = await ground.container("limited", top, { quota: 8 * mebibyte });
  const free = await ground.container("free", top);
  const fill = (container: ContainerRootfs) => {
    const fd = fs.openSync(`${container.rootfs}/noise`, "w");
    try {
      for (let written = 0; written < 32; written++) {
        fs.writeSync(fd, noise(mebibyte));
        fs.fsyncSync(fd); // a filesystem may count what it has written to the disk only
      }
      return null;
    } catch (error) {
      return String(error); // Deno has no code for EDQUOT
    } finally {
      fs.closeSync(fd);
    }
  };
  assertMatch(`${fill(limited)}`, /os error 122|EDQUOT|ENOSPC/);
  assertEquals(fill(free), null);
  const { size } = fs.statSync(`${limited.rootfs}/noise`);
  assert(size >= 6 * mebibyte && size <= 16 * mebibyte, `${size} bytes within a quota of 8 MiB`);
}

async function capacity(ground: Ground): Promise<void> {
  const { usedBytes, availableBytes } = (await ground.driver.measure([])).capacity;
  assert(Number.isSafeInteger(usedBytes) && usedBytes >= 0, `${usedBytes}`);
  assert(Number.isSafeInteger(availableBytes) && availableBytes > 0, `${availableBytes}`);
}

async function declared(ground: Ground): Promise<void> {
  const { driver, options } = ground;
  assertEquals(
    [driver.keepsLayers, driver.hasQuota],
    [options.keepsLayers, options.hasQuota],
  );
  await driver.initialize();
  assertEquals(await driver.listStrays(), {
    staging: [],
    waiting: [],
    containers: [],
    brokenLayers: [],
  });
}

/** Tests of containers. */
export const CONTAINER_TESTS: readonly ContractTest[] = [
  { name: "an empty store, initialized twice", run: declared },
  { name: "a container that begins empty", run: empty },
  { name: "containers and layers do not share changes", needs: "keepsLayers", run: apart },
  { name: "a container is removed, its name used again", run: nameUsedAgain },
  { name: "a container is not made in place of another", run: inTheWay },
  { name: "unmounted and mounted again", needs: "keepsLayers", run: keepsChanges },
  { name: "states of no, one and several containers", run: states },
  { name: "a container in use is not removed", needs: "mountsRootfs", run: busy },
  { name: "a quota is kept", needs: "hasQuota", run: quota },
  { name: "the capacity is told", run: capacity },
];
