/**
 * The contract of drivers: layers are made, found and removed, whole or not at all.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { removeTree } from "../../src/store/remove_tree.ts";
import { dir, file, whiteout } from "../fixtures/tar.ts";
import { assertTree, d, f, IS_ROOT } from "../fixtures/tree.ts";
import { type ContractTest, type Ground, noise, unknownDigest } from "./contract_ground.ts";

const BASE = [dir("./"), dir("etc"), file("etc/motd", "hello\n", { mode: 0o600 })];
const BASE_TREE = { "": d(), etc: d(), "etc/motd": f("hello\n", { mode: 0o600 }) };

async function assertAbsent(ground: Ground, chainId: Digest): Promise<void> {
  assertEquals(await ground.driver.findLayers([chainId]), new Map());
  assertEquals(await ground.driver.listLayers(), []);
}

async function foundAndListed(ground: Ground): Promise<void> {
  const { driver } = ground;
  assertEquals(await driver.findLayers([]), new Map());
  assertEquals(await driver.listLayers(), []);
  const base = await ground.layer(BASE);
  const top = await ground.layer([file("b", "b")], base);
  await driver.initialize();
  const strangers = Array.from({ length: 300 }, (_, i) => unknownDigest(`${i}`));
  const asked = [top.chainId, ...strangers, base.chainId];
  const found = await driver.findLayers(asked);
  assertEquals([...found].sort(), [[base.chainId, base], [top.chainId, top]].sort());
  const listed = [...await driver.listLayers()].sort((a) => a.parent === null ? -1 : 1);
  assertEquals(
    listed.map(({ chainId, diffId, parent, traits }) => ({ chainId, diffId, parent, traits })),
    [base, top],
  );
  assertEquals(listed.map(({ mounted }) => mounted), [false, false]);
  assert(listed.every(({ bytes }) => Number.isSafeInteger(bytes) && bytes >= 0));
  assertEquals((await driver.listStrays()).brokenLayers, []);
}

async function discarded(ground: Ground): Promise<void> {
  const before = await ground.inventory();
  const prepared = await ground.prepare(BASE);
  const { chainId } = prepared.record;
  await assertTree(prepared.staged.root, BASE_TREE);
  await assertAbsent(ground, chainId);
  await prepared.staged[Symbol.asyncDispose]();
  assertEquals([...Deno.readDirSync(`${ground.store}/staging/${prepared.name}`)], []);
  await prepared[Symbol.asyncDispose](); // a second time, which is no error
  await assertAbsent(ground, chainId);
  assertEquals(await ground.inventory(), before);
  const made = await ground.layer(BASE);
  assertEquals((await ground.driver.findLayers([chainId])).get(chainId), made);
}

async function committedTwice(ground: Ground): Promise<void> {
  const chainId = unknownDigest("made by two");
  await using late = await ground.prepare([file("late", noise(1024 * 1024))], null, chainId);
  const record = await ground.layer(BASE, null, chainId);
  const listed = await ground.driver.listLayers();
  const error = await assertRejects(() => late.staged.commit(late.record), LayerfsError);
  assertEquals([error.code, error.message], ["conflict", error.message]);
  await late[Symbol.asyncDispose]();
  assertEquals(
    await ground.driver.findLayers([record.chainId]),
    new Map([[record.chainId, record]]),
  );
  assertEquals(await ground.driver.listLayers(), listed);
  assertEquals((await ground.driver.listStrays()).brokenLayers, []);
  await ground.see(record, (root) => assertTree(root, BASE_TREE));
}

/** Nobody takes over, or away, what somebody else is making under the same name. */
async function preparedTwice(ground: Ground): Promise<void> {
  const { driver } = ground;
  const base = await ground.layer([file("base", "base")]);
  for (const parent of [null, base]) {
    await using first = await ground.prepare(BASE, parent);
    const prepare = () => driver.prepareLayer(unknownDigest("another"), parent, first.name);
    await assertRejects(prepare, LayerfsError);
    await first.staged.commit(first.record);
    const tree = parent === null ? BASE_TREE : { ...BASE_TREE, base: f("base") };
    await ground.see(first.record, (root) => assertTree(root, tree));
    await driver.removeLayer(first.record.chainId);
  }
}

async function childSeesParent(ground: Ground): Promise<void> {
  const base = await ground.layer(BASE);
  const members = [whiteout("etc/motd"), file("etc/issue", "issue")];
  const child = await ground.layer(members, base);
  const sibling = await ground.layer([file("other", "other")], base);
  await ground.see(
    child,
    (root) => assertTree(root, { "": d(), etc: d(), "etc/issue": f("issue") }),
  );
  await ground.see(base, (root) => assertTree(root, BASE_TREE));
  await ground.see(sibling, (root) => assertTree(root, { ...BASE_TREE, other: f("other") }));
}

/** An ordinary user sees a layer in a container, whose bundle stays. */
function notOfContainers(name: string): boolean {
  return !name.startsWith("d containers/");
}

async function removed(ground: Ground): Promise<void> {
  const { driver } = ground;
  assertEquals(await driver.removeLayer(unknownDigest()), "removed");
  const base = await ground.layer(BASE);
  const chainId = unknownDigest("a name used twice");
  for (const content of ["one", "other"]) {
    const before = await ground.inventory();
    const top = await ground.layer([file("etc/motd", content)], base, chainId);
    await ground.see(top, (root) => assertTree(root, { ...BASE_TREE, "etc/motd": f(content) }));
    assertEquals(await driver.removeLayer(chainId), "removed");
    assertEquals(await driver.removeLayer(chainId), "removed");
    assertEquals(await driver.findLayers([chainId]), new Map());
    const after = await ground.inventory();
    assertEquals(after.filter(notOfContainers), before.filter(notOfContainers));
  }
  await ground.see(base, (root) => assertTree(root, BASE_TREE));
}

/** However often it is tried, and however the layers on top came and went meanwhile. */
async function removedBelowOthers(ground: Ground): Promise<void> {
  const { driver } = ground;
  const base = await ground.layer(BASE);
  const view = IS_ROOT ? await driver.mountLayer(base.chainId) : null;
  const refuse = async (...layers: LayerRecord[]) => {
    const before = await ground.inventory();
    for (const { chainId } of layers) {
      const error = await assertRejects(() => driver.removeLayer(chainId), LayerfsError);
      assertEquals([error.code, error.message], ["conflict", error.message]);
    }
    assertEquals(await ground.inventory(), before);
    if (view !== null) await assertTree(view, BASE_TREE);
  };
  const remove = async ({ chainId }: LayerRecord) => {
    assertEquals(await driver.removeLayer(chainId), "removed");
  };
  const child = await ground.layer([file("child", "child")], base);
  const sibling = await ground.layer([file("sibling", "sibling")], base);
  const grandchild = await ground.layer([file("grandchild", "grandchild")], child);
  await refuse(base, child, base);
  await remove(grandchild);
  await remove(child);
  await refuse(base);
  await remove(sibling);
  const again = await ground.layer([file("child", "child")], base);
  await refuse(base);
  await remove(again);
  await remove(base);
  assertEquals(await driver.listLayers(), []);
}

/** Bounds leave room for what a filesystem needs for names; content does not compress. */
async function usage(ground: Ground): Promise<void> {
  const mebibyte = 1024 * 1024;
  const base = await ground.layer([...BASE, file("large", noise(3 * mebibyte))]);
  const sizes = new Map<Digest, number>([[base.chainId, 3]]);
  for (const size of [0, 1, 2]) {
    const content = size === 0 ? [] : [file(`f${size}`, noise(size * mebibyte))];
    sizes.set((await ground.layer(content, base)).chainId, size);
  }
  const listed = await ground.driver.listLayers();
  assertEquals(listed.length, sizes.size);
  for (const { chainId, bytes } of listed) {
    const expected = (sizes.get(chainId) ?? NaN) * mebibyte;
    const state = `${bytes} bytes, not about ${expected}`;
    assert(bytes >= expected && bytes <= expected * 1.1 + mebibyte / 4, state);
  }
}

async function leftByTheDead(ground: Ground): Promise<void> {
  const { driver } = ground;
  const base = await ground.layer(BASE);
  const before = await ground.inventory();
  const dead = await ground.prepare([file("half", "half")], base); // never disposed of
  const early = ground.stagingName();
  await driver.prepareLayer(unknownDigest(), null, early); // killed before it wrote anything
  // Another process makes the same layer: what the dead one has left is neither used nor in the way.
  await using prepared = await ground.prepare([file("half", "whole")], base, dead.record.chainId);
  await assertTree(prepared.staged.root, { ...BASE_TREE, half: f("whole") });
  await prepared[Symbol.asyncDispose]();
  for (const name of [dead.name, early]) {
    await driver.sweep(name);
    await removeTree(`${ground.store}/staging/${name}`);
    await driver.sweep(name);
  }
  await driver.sweep("0123456789abcdef");
  assertEquals((await driver.listStrays()).staging, []);
  assertEquals(await ground.inventory(), before);
  assertEquals(await driver.findLayers([dead.record.chainId]), new Map());
  const again = await ground.layer([file("half", "half")], base);
  await ground.see(again, (root) => assertTree(root, { ...BASE_TREE, half: f("half") }));
}

/** Everything about a layer comes back, whatever it is, by names of both lengths. */
async function records(ground: Ground): Promise<void> {
  const sha512 = `sha512:${"0123456789abcdef".repeat(8)}` as Digest;
  let parent = await ground.layer(BASE, null, sha512);
  const made = [parent];
  for (const kind of ["rawNames", "fineTimes", "directoryXattrs"] as const) {
    await using prepared = await ground.prepare([file(kind, kind)], parent);
    const record = {
      ...prepared.record,
      traits: { rawNames: false, fineTimes: false, directoryXattrs: false, [kind]: true },
    };
    await prepared.staged.commit(record);
    parent = record;
    made.push(record);
  }
  const found = await ground.driver.findLayers(made.map(({ chainId }) => chainId));
  assertEquals(found, new Map(made.map((record) => [record.chainId, record])));
  for (const { chainId } of made.slice(1).reverse()) await ground.driver.removeLayer(chainId);
}

async function noSuchLayer(ground: Ground): Promise<void> {
  const { driver } = ground;
  const base = await ground.layer(BASE);
  const before = await ground.inventory();
  const nobody = { ...base, chainId: unknownDigest() };
  const name = ground.stagingName();
  await assertRejects(
    () => driver.prepareLayer(unknownDigest("child"), nobody, name),
    LayerfsError,
  );
  await driver.sweep(name);
  await removeTree(`${ground.store}/staging/${name}`);
  await assertRejects(() => driver.mountLayer(nobody.chainId), LayerfsError);
  await driver.unmountLayer(nobody.chainId);
  const container = ground.rootfsOf("nobody", nobody);
  const error = await assertRejects(() => driver.createRootfs(container), LayerfsError);
  assertEquals(error.code, "not-found"); // by which LayerFS knows that layers are to be made first
  await removeTree(`${ground.store}/containers/nobody`);
  assertEquals(await ground.inventory(), before);
  await driver.createRootfs({ ...ground.rootfsOf("nobody", base) });
}

/** Tests of layers. */
export const LAYER_TESTS: readonly ContractTest[] = [
  { name: "layers are found and listed", needs: "keepsLayers", run: foundAndListed },
  { name: "a layer that is discarded leaves nothing", needs: "keepsLayers", run: discarded },
  { name: "a layer is committed once, and stays whole", needs: "keepsLayers", run: committedTwice },
  { name: "a staging name is taken once", needs: "keepsLayers", run: preparedTwice },
  { name: "a layer sees the one below", needs: "keepsLayers", run: childSeesParent },
  { name: "a layer is removed, its name used again", needs: "keepsLayers", run: removed },
  { name: "a layer below others is not removed", needs: "keepsLayers", run: removedBelowOthers },
  { name: "usage of empty, 1 MiB and 2 MiB layers", needs: "keepsLayers", run: usage },
  { name: "what a dead process has left is swept", needs: "keepsLayers", run: leftByTheDead },
  { name: "a record comes back as it was", needs: "keepsLayers", run: records },
  { name: "layers that are not there", needs: "keepsLayers", run: noSuchLayer },
];
