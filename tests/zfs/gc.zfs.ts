/** Garbage collection among what people have made of layers: what can go goes, and the rest is told. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { collectGarbage, type GcResult } from "../../src/store/gc.ts";
import { checkStore } from "../../src/store/fsck.ts";
import type { FsckResult } from "../../src/store/fsck_report.ts";
import { layerName } from "../../src/store/layer_record.ts";
import { Store } from "../../src/store/store.ts";
import { chainId, datasets, Scratch, zfs } from "./harness.ts";

/** `layerfs gc` of a store without images and containers. */
async function gc({ store: path, dataset }: Scratch): Promise<GcResult> {
  const options = { store: path, driver: "zfs", dataset } as const;
  using store = await Store.open(options, "exclusive");
  return await collectGarbage(store, [], { dryRun: false, signal: new AbortController().signal });
}

/** `layerfs fsck` of it. */
async function fsck({ store: path, dataset }: Scratch, repair = false): Promise<FsckResult> {
  const options = { store: path, driver: "zfs", dataset } as const;
  using store = await Store.open(options, "exclusive");
  const known = {
    containers: [],
    damaged: [],
    unrecorded: [],
    restoreRecord: () => Promise.resolve(),
  };
  const signal = new AbortController().signal;
  return await checkStore(store, known, { deep: false, repair, engine: "native", signal });
}

/** Makes layers on top of each other, the first of them a base. */
async function stack(scratch: Scratch, ...numbers: number[]): Promise<void> {
  for (const [i, number] of numbers.entries()) {
    await scratch.layer(number, i === 0 ? null : numbers[i - 1]);
  }
}

/** What of the layers of these numbers is there. */
async function there(scratch: Scratch, ...numbers: number[]): Promise<number[]> {
  const all = await datasets(`${scratch.dataset}/layers`);
  return numbers.filter((number) => all.includes(scratch.layerDataset(number)));
}

/** Removes what the store's files say of a layer. */
async function forget({ store }: Scratch, number: number): Promise<void> {
  await Deno.remove(`${store}/layers/${layerName(chainId(number))}.json`);
}

Deno.test("a layer that cannot go stops no other one, and is told of at the end", async () => {
  await using scratch = await Scratch.create();
  await gc(scratch);
  const before = await datasets(scratch.dataset);
  await stack(scratch, 1, 2, 3);
  await stack(scratch, 11, 12);
  await stack(scratch, 21, 22);
  await forget(scratch, 2);
  const mine = `${scratch.layerDataset(22)}/mine`;
  await zfs("create", "-o", "mountpoint=none", mine);
  const blob = `${scratch.store}/blobs/sha256/${"a".repeat(64)}`;
  await Deno.writeTextFile(blob, "a");

  const error = await assertRejects(() => gc(scratch), LayerfsError);
  assertEquals(error.code, "conflict");
  // What is below a layer that stays is not tried: that it stays as well is no news.
  assertEquals(await there(scratch, 1, 2, 3, 11, 12, 21, 22), [1, 2, 21, 22]);
  await assertRejects(() => Deno.stat(blob), Deno.errors.NotFound);
  const failures = error.data.failures as { subject: string; message: string }[];
  assertEquals(failures.map(({ subject }) => subject).sort(), [
    `layer ${chainId(1)}`,
    `layer ${chainId(22)}`,
  ]);
  for (const { subject, message } of failures) assertStringIncludes(message, subject);
  const messages = failures.map(({ message }) => message).join("\n");
  assertStringIncludes(messages, `dataset "${mine}" is below`);
  // Nobody is told to destroy the store's own.
  assertStringIncludes(messages, "that is a layer of this store");
  assertStringIncludes(messages, '"layerfs fsck --repair"');
  assert(!messages.includes("promote"), messages);

  await scratch.driver.repairLayer(chainId(2));
  await zfs("destroy", mine);
  assertEquals((await gc(scratch)).layers.length, 4);
  assertEquals(await datasets(scratch.dataset), before);
});

Deno.test("litter that cannot go stops no layer", async () => {
  await using scratch = await Scratch.create();
  await gc(scratch);
  await stack(scratch, 1);
  const dead = `${scratch.dataset}/staging/0123456789abcdef`;
  await zfs("create", "-o", "mountpoint=none", dead);
  await zfs("create", "-o", "mountpoint=none", `${dead}/mine`);
  const error = await assertRejects(() => gc(scratch), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, `dataset "${dead}/mine" is below`);
  assertEquals(await there(scratch, 1), []);
  await zfs("destroy", `${dead}/mine`);
  assertEquals((await gc(scratch)).staging, ["0123456789abcdef"]);
});

Deno.test("what a deep check needs of a layer stays, listed or not", async () => {
  await using scratch = await Scratch.create();
  await gc(scratch);
  await stack(scratch, 1);
  const skeletons = `${scratch.store}/skeletons`;
  const [kept, lone] = [1, 9].map((number) => layerName(chainId(number)));
  for (const name of [kept, lone, "other"]) await Deno.writeTextFile(`${skeletons}/${name}`, "x");
  await forget(scratch, 1);
  await gc(scratch);
  assertEquals([...Deno.readDirSync(skeletons)].map(({ name }) => name), [kept]);
  await scratch.driver.repairLayer(chainId(1));
  assertEquals((await gc(scratch)).layers, [chainId(1)]);
  assertEquals([...Deno.readDirSync(skeletons)], []);
});

Deno.test("who is in the way of a layer is told by what it is", async () => {
  await using scratch = await Scratch.create();
  const { driver, dataset } = scratch;
  await scratch.layer(1);
  const snapshot = `${scratch.layerDataset(1)}@layer`;
  const dependents = [
    [`${dataset}/containers/a:b`, '"layerfs rm a+b"'],
    [`${dataset}/staging/0123456789abcdef`, '"layerfs fsck"'],
  ] as const;
  for (const [name, advice] of dependents) {
    await zfs("clone", "-o", "mountpoint=none", snapshot, name);
    await zfs("snapshot", `${name}@mine`);
    const error = await assertRejects(() => driver.removeLayer(chainId(1)), LayerfsError);
    assertStringIncludes(error.message, advice);
    assert(!error.message.includes("promote"), error.message);
    await zfs("destroy", "-r", name);
  }
  assertEquals(await driver.removeLayer(chainId(1)), "removed");
});

for (const clean of ["gc", "fsck --repair"]) {
  Deno.test(`layers below a held snapshot wait, and ${clean} takes all once it is released`, async () => {
    await using scratch = await Scratch.create();
    const { dataset } = scratch;
    await gc(scratch);
    const before = await datasets(dataset);
    await stack(scratch, 1, 2, 3, 4);
    // As tools do that send snapshots to another place.
    await zfs("snapshot", "-r", `${dataset}@daily`);
    await zfs("hold", "sent", `${scratch.layerDataset(4)}@daily`);
    assertEquals((await gc(scratch)).deferred.length, 4);
    await zfs("snapshot", "-r", `${dataset}@later`);
    await gc(scratch);
    assertEquals(await there(scratch, 1, 2, 3, 4), []);
    const { problems, waiting } = await fsck(scratch);
    assertEquals([problems, waiting.length], [[], 4]);
    const held = (await datasets(`${dataset}/staging`)).filter((name) => name.endsWith("@daily"))
      .find((name) => waiting.some(({ detail }) => detail.includes(`"zfs holds ${name}"`)));
    assert(held !== undefined, JSON.stringify(waiting));
    assertEquals((await fsck(scratch, true)).problems, []);

    await zfs("release", "sent", held);
    if (clean === "gc") assertEquals((await gc(scratch)).staging.length, 4);
    else assertEquals((await fsck(scratch, true)).problems.length, 4);
    for (const snapshot of ["daily", "later"]) {
      await zfs("destroy", "-r", `${dataset}@${snapshot}`);
    }
    assertEquals(await datasets(dataset), before);
    assertEquals(await fsck(scratch).then(({ problems, waiting }) => [problems, waiting]), [
      [],
      [],
    ]);
  });
}
