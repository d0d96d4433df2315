/** The hard tests of stress.ts on ZFS, on the pool that with_zfs_fuse.sh makes. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { must, type Outcome, run } from "../../platform/harness.ts";
import { stressTests } from "../../platform/stress.ts";
import {
  type FillableDisk,
  FULL_TMPFS,
  fullDataset,
  fullRemovalTest,
} from "../../platform/stress_full.ts";
import type { Ground } from "../../platform/stress_ground.ts";
import { SmallPool, smallPoolName } from "../small_pool.ts";
import { datasetOf, destroy, ON_ZFS, onPool, POOL, test } from "./ground.ts";

/** A pool that is full, so that ZFS itself has no space left. */
function fullPool(name: string): FillableDisk {
  return {
    name: "pool",
    unit: 400_000,
    holdsStore: false,
    space: async (work) => {
      const small = await SmallPool.create(name);
      work.defer(() => small[Symbol.asyncDispose]());
      return { path: work.directory, leave: () => small.fill(), restore: () => small.empty() };
    },
  };
}

stressTests(ON_ZFS, 200, [FULL_TMPFS, fullDataset(datasetOf)]);

const SMALL = smallPoolName();

fullRemovalTest(onPool(SMALL), fullPool(SMALL));

/** Kinds and subjects of what fsck finds, and whether it was mended. */
async function problems(ground: Ground, ...options: string[]): Promise<string[]> {
  const found = await ground.fsck(...options);
  return found.problems.map(({ kind, subject, repaired }) => {
    return `${kind} ${subject}${repaired ? " repaired" : ""}`;
  }).sort();
}

/** ChainIDs of the layers that a container has, the base first. */
async function layersOf(ground: Ground, id: string): Promise<string[]> {
  const rows = await ground.json<{ chainId: string; containers: string[] }[]>(["layers"]);
  return rows.filter(({ containers }) => containers.includes(id)).map(({ chainId }) => chainId);
}

/** Destroys what a store has, behind its back. */
async function zfsDestroy(ground: Ground, name: string): Promise<void> {
  for (const mount of (await ground.mounts()).reverse()) await must(["umount", mount]);
  await destroy(`${datasetOf(ground.store)}/${name}`, ["-R"]);
}

test("a root filesystem that was destroyed is found, and made anew", async (ground, one, two) => {
  await ground.create("web", one);
  await ground.create("other", two);
  await zfsDestroy(ground, "containers/web");
  assertEquals(await problems(ground), ["missing-rootfs web"]);
  assertEquals(await problems(ground, "--repair"), ["missing-rootfs web repaired"]);
  await ground.assertClean();
  for (const id of ["web", "other"]) await ground.json(["mount", id]);
  await ground.assertFiles("web", one);
  await ground.assertFiles("other", two);
  await ground.json(["rm", "web", "other"]);
  await ground.json(["gc"]);
  assertEquals((await ground.outside()).length, 4);
});

test("a container whose root filesystem was destroyed can be removed", async (ground, one) => {
  await ground.create("web", one);
  await zfsDestroy(ground, "containers/web");
  await ground.json(["ps"]);
  await ground.json(["rm", "web"]);
  await ground.assertClean();
});

test("a layer without a snapshot is found, removed, and applied anew", async (ground, one) => {
  const { layers } = await ground.create("web", one);
  const top = (await layersOf(ground, "web")).at(-1) ?? "";
  const hex = top.slice("sha256:".length);
  await ground.json(["rm", "web"]);
  await zfsDestroy(ground, `layers/${hex}@layer`);
  assertEquals(await problems(ground), [`broken-layer ${hex}`]);
  // Whoever needs the layer does not have to wait for a repair.
  assertEquals((await ground.create("web", one)).layers, { ...layers, reused: 3, applied: 1 });
  await ground.assertFiles("web", one);
  await ground.assertClean();
  await ground.json(["rm", "web"]);
  await zfsDestroy(ground, `layers/${hex}@layer`);
  assertEquals(await problems(ground, "--repair"), [`broken-layer ${hex} repaired`]);
  await ground.assertClean();
});

test("a snapshot that was destroyed with all that is on it", async (ground, one, two) => {
  await ground.create("web", one);
  await ground.create("other", two);
  const [base, common = "", ...above] = await layersOf(ground, "web");
  const others = (await layersOf(ground, "other")).filter((layer) => layer !== base);
  const hexes = [...new Set([common, ...above, ...others])].map((id) => id.slice(7)).sort();
  await zfsDestroy(ground, `layers/${common.slice(7)}@layer`);
  // Of those above there is the store's file left.
  const broken = hexes.map((hex) => {
    return `${hex === common.slice(7) ? "broken-layer" : "litter"} ${hex}`;
  }).sort();
  const missing = ["missing-rootfs other", "missing-rootfs web"];
  for (const options of [[], ["--deep"]]) {
    assertEquals(await problems(ground, ...options), [...broken, ...missing]);
  }
  // The layers have to come from somewhere: a create brings those of its image.
  const repaired = broken.map((problem) => `${problem} repaired`);
  const withoutLayers = ["missing-layer other", "missing-layer web", ...missing];
  assertEquals(await problems(ground, "--repair"), [...repaired, ...withoutLayers]);
  await ground.create("new", one);
  const left = ["missing-layer other", "missing-rootfs other", "missing-rootfs web repaired"];
  assertEquals(await problems(ground, "--repair"), left);
  await ground.json(["rm", "other"]);
  await ground.assertClean();
  await ground.json(["mount", "web"]);
  await ground.assertFiles("web", one);
  await ground.assertFiles("new", one);
});

/** Fails unless a command says that the pool is what is missing. */
function assertPoolMissing({ code, stdout, stderr }: Outcome, name: string): void {
  assertEquals(code, 6, stdout + stderr);
  assertStringIncludes(stderr, `"${name}"`);
  assertStringIncludes(stderr, "zpool");
}

test("without its pool, a store says so, and changes nothing", async (ground, one) => {
  await ground.create("web", one);
  await ground.json(["unmount", "web"]);
  const settings = `${ground.store}/store.json`;
  const text = await Deno.readTextFile(settings);
  const lost = `layerfs-lost-${crypto.randomUUID().slice(0, 8)}`;
  await Deno.writeTextFile(settings, text.replaceAll(`${POOL}/`, `${lost}/`));
  const command = [...ground.argv([]).filter((word) => !/^(--dataset|--driver|zfs)$/.test(word))]
    .filter((word) => !word.startsWith(`${POOL}/`));
  const commands = [["ps"], ["layers"], ["gc"], ["df"], ["fsck"], ["rm", "web"]];
  for (const args of [...commands, ["create", "--name", "new", one.reference]]) {
    assertPoolMissing(await run([...command, ...args]), lost);
  }
  await Deno.writeTextFile(settings, text);
  await ground.json(["mount", "web"]);
  await ground.assertFiles("web", one);
  await ground.assertClean();
});
