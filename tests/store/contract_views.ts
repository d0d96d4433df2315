/**
 * The contract of drivers: views of layers are mounts, and read-only.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fs from "node:fs";
import { dir, file, whiteout } from "../fixtures/tar.ts";
import { assertTree, d, f } from "../fixtures/tree.ts";
import type { ContractTest, Ground } from "./contract_ground.ts";

const LAYERS = [
  [dir("./"), dir("d"), file("d/a", "a"), file("gone", "gone")],
  [whiteout("gone"), file("b", "b")],
  [file("d/c", "c")],
];
const TREE = { "": d(), d: d(), "d/a": f("a"), "d/c": f("c"), b: f("b") };

/** Every way to change something, in the file or directory at the front of the name. */
const CHANGES: Readonly<Record<string, (root: string) => void>> = {
  write: (root) => fs.closeSync(fs.openSync(`${root}/d/a`, "r+")),
  create: (root) => fs.writeFileSync(`${root}/new`, "new"),
  "create below": (root) => fs.writeFileSync(`${root}/d/new`, "new"),
  truncate: (root) => fs.truncateSync(`${root}/b`),
  mkdir: (root) => fs.mkdirSync(`${root}/d/new`),
  chmod: (root) => fs.chmodSync(`${root}/d/a`, 0o600),
  "chmod of the root": (root) => fs.chmodSync(root, 0o700),
  chown: (root) => fs.chownSync(`${root}/b`, 1, 1),
  touch: (root) => fs.utimesSync(`${root}/d/a`, 1, 1),
  link: (root) => fs.linkSync(`${root}/b`, `${root}/new`),
  symlink: (root) => fs.symlinkSync("b", `${root}/new`),
  rename: (root) => fs.renameSync(`${root}/b`, `${root}/new`),
  unlink: (root) => fs.unlinkSync(`${root}/d/c`),
};

async function readOnly(ground: Ground): Promise<void> {
  const top = await ground.stack(...LAYERS);
  const root = await ground.driver.mountLayer(top.chainId);
  for (const [name, change] of Object.entries(CHANGES)) {
    const error = assertThrows(() => change(root), Error, "", name) as NodeJS.ErrnoException;
    assertEquals(error.code, "EROFS", `${name}: ${error.message}`);
  }
  await assertTree(root, TREE);
}

async function idempotent(ground: Ground): Promise<void> {
  const { driver } = ground;
  const top = await ground.stack(...LAYERS);
  const base = (await driver.listLayers()).find(({ parent }) => parent === null);
  assert(base !== undefined);
  const mounted = async () =>
    (await driver.listLayers()).filter((layer) => layer.mounted).map(({ chainId }) => chainId);
  assertEquals(await mounted(), []);
  const root = await driver.mountLayer(top.chainId);
  assertEquals(await driver.mountLayer(top.chainId), root);
  assertEquals(await mounted(), [top.chainId]);
  const lower = await driver.mountLayer(base.chainId);
  assert(lower !== root);
  await assertTree(root, TREE);
  await assertTree(lower, { "": d(), d: d(), "d/a": f("a"), gone: f("gone") });
  assertEquals((await mounted()).sort(), [top.chainId, base.chainId].sort());
  for (let time = 0; time < 2; time++) await driver.unmountLayer(top.chainId);
  assertEquals(await mounted(), [base.chainId]);
  assert(!fs.existsSync(`${root}/d/a`));
  await assertTree(lower, { "": d(), d: d(), "d/a": f("a"), gone: f("gone") });
  assertEquals(await driver.mountLayer(top.chainId), root);
  await assertTree(root, TREE);
}

/** A view and a container of one layer do not see each other's changes, nor stand in their way. */
async function besideContainers(ground: Ground): Promise<void> {
  const top = await ground.stack(...LAYERS);
  const root = await ground.driver.mountLayer(top.chainId);
  const container = await ground.container("one", top);
  await Deno.writeTextFile(`${container.rootfs}/b`, "changed");
  await Deno.remove(`${container.rootfs}/d/a`);
  await assertTree(root, TREE);
  await ground.driver.unmountLayer(top.chainId);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/b`), "changed");
  await ground.driver.mountLayer(top.chainId);
  await ground.driver.removeRootfs(container);
  await assertTree(root, TREE);
}

async function withoutMount(ground: Ground): Promise<void> {
  const top = await ground.stack(...LAYERS);
  const root = ground.driver.treeOf(top.chainId);
  if (root !== null) await assertTree(root, TREE);
  else await ground.see(top, (view) => assertTree(view, TREE));
  assertEquals((await ground.driver.listLayers()).some(({ mounted }) => mounted), false);
}

/** Tests of views. */
export const VIEW_TESTS: readonly ContractTest[] = [
  { name: "a tree that can be read unmounted", needs: "keepsLayers", run: withoutMount },
  { name: "a view is read-only", needs: "keepsLayers", asRoot: true, run: readOnly },
  { name: "views are mounted once", needs: "keepsLayers", asRoot: true, run: idempotent },
  { name: "a view beside a container", needs: "keepsLayers", asRoot: true, run: besideContainers },
];
