import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { checkStack, MAX_STACK } from "../../src/store/overlay/mount_overlay.ts";
import { OverlayDriver } from "../../src/store/overlay/overlay_driver.ts";
import { overlayProblem } from "../../src/store/overlay/probe.ts";
import { IS_ROOT } from "../fixtures/tree.ts";

const [BASE, MIDDLE, TOP] = ["a", "b", "c"].map((hex) => `sha256:${hex.repeat(64)}` as Digest) as [
  Digest,
  Digest,
  Digest,
];

/** Makes a store with the given layers, each named with its parent; gone after `work`. */
async function withStore(
  layers: readonly (readonly [Digest, Digest | null])[],
  work: (driver: OverlayDriver, store: string) => Promise<void>,
): Promise<void> {
  const store = await Deno.makeTempDir();
  try {
    const driver = new OverlayDriver(store);
    // Not initialize(): an ordinary user may not mount, and what is tested here mounts nothing.
    for (const name of ["layers", "staging", "views"]) await Deno.mkdir(`${store}/${name}`);
    for (const [chainId, parent] of layers) {
      const directory = `${store}/layers/${chainId.slice(7)}`;
      await Deno.mkdir(`${directory}/diff`, { recursive: true });
      const record = { version: 1, chainId, diffId: chainId, parent, traits: NO_TRAITS, bytes: 42 };
      await Deno.writeTextFile(`${directory}/layer.json`, JSON.stringify(record));
    }
    await work(driver, store);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
}

/** Rejects with an error of this code, whose message is returned. */
async function refused(work: () => Promise<unknown>, code: string): Promise<string> {
  const error = await assertRejects(work, LayerfsError);
  assertEquals(error.code, code, error.message);
  return error.message;
}

Deno.test("layers are found and listed by their records", () =>
  withStore([[BASE, null], [TOP, BASE]], async (driver) => {
    const found = await driver.findLayers([TOP, MIDDLE]);
    const record = { chainId: TOP, diffId: TOP, parent: BASE, traits: NO_TRAITS };
    assertEquals([...found], [[TOP, record]]);
    const listed = await driver.listLayers();
    assertEquals(listed.map(({ chainId }) => chainId).sort(), [BASE, TOP]);
    assertEquals(listed[1], { ...record, bytes: 42, mounted: false });
    assert(driver.treeOf(BASE)?.endsWith("/diff"));
    assertEquals([driver.treeOf(MIDDLE), driver.treeOf(TOP)], [null, null]);
    const strays = await driver.listStrays();
    assertEquals(strays, { staging: [], waiting: [], containers: [], brokenLayers: [] });
  }));

Deno.test("a stack with a gap or a circle is refused, and nothing is made", () =>
  withStore([[BASE, TOP], [MIDDLE, null], [TOP, BASE]], async (driver, store) => {
    const mount = () => driver.mountLayer(TOP);
    assertStringIncludes(await refused(mount, "storage"), "is below itself");
    await Deno.remove(`${store}/layers/${BASE.slice(7)}/layer.json`);
    assertStringIncludes(await refused(mount, "not-found"), `${BASE}, which is needed below it`);
    const rootfs = `${store}/rootfs`;
    await refused(() => driver.createRootfs({ id: "one", rootfs, top: TOP }), "not-found");
    await refused(() => driver.createRootfs({ id: "one", rootfs, top: BASE }), "not-found");
    assertEquals([...Deno.readDirSync(`${store}/views`)], []);
    assertEquals([...Deno.readDirSync(store)].some(({ name }) => name === "rootfs"), false);
    assertEquals((await driver.listStrays()).brokenLayers.length, 1);
  }));

Deno.test("a layer whose files are there is not removed for its record", () =>
  withStore([[BASE, null], [MIDDLE, BASE], [TOP, MIDDLE]], async (driver, store) => {
    const place = (chainId: Digest) => `${store}/layers/${chainId.slice(7)}`;
    await Deno.writeTextFile(`${place(BASE)}/layer.json`, "{");
    await Deno.remove(`${place(MIDDLE)}/layer.json`);
    await Deno.remove(`${place(TOP)}/diff`);
    for (const chainId of [BASE, MIDDLE]) {
      const message = await refused(() => driver.repairLayer(chainId), "storage");
      assertStringIncludes(message, `Cannot repair layer ${chainId}: its record is damaged`);
      assert((await Deno.stat(`${place(chainId)}/diff`)).isDirectory);
    }
    await driver.repairLayer(TOP);
    const left = [...Deno.readDirSync(`${store}/layers`)].map(({ name }) => name).sort();
    assertEquals(left, [BASE, MIDDLE].map((chainId) => chainId.slice(7)));
    // Whoever has seen that nothing needs it can remove it.
    await driver.removeLayer(BASE);
    await driver.removeLayer(MIDDLE);
    assertEquals([...Deno.readDirSync(`${store}/layers`)], []);
  }));

Deno.test("a layer of which nothing is left is removed by a repair, whatever is on top of it", () =>
  withStore([[BASE, null], [TOP, BASE]], async (driver, store) => {
    await refused(() => driver.removeLayer(BASE), "conflict");
    await Deno.remove(`${store}/layers/${BASE.slice(7)}/diff`);
    await driver.repairLayer(BASE);
    assertEquals([...Deno.readDirSync(`${store}/layers`)].map(({ name }) => name), [TOP.slice(7)]);
    await driver.removeLayer(TOP);
  }));

Deno.test("a whole layer needs no repair", () =>
  withStore([[BASE, null]], async (driver) => {
    await driver.repairLayer(BASE);
    assertEquals((await driver.findLayers([BASE])).size, 1);
  }));

Deno.test("what was replaced is swept where nothing is mounted", () =>
  withStore([], async (driver, store) => {
    const names = ["removed-a", "replaced-a"];
    for (const name of names) await Deno.mkdir(`${store}/layers/${name}/diff`, { recursive: true });
    assertEquals((await driver.listStrays()).staging, names);
    assertEquals((await driver.listStrays()).brokenLayers, []);
    for (const name of names) await driver.sweep(name);
    assertEquals([...Deno.readDirSync(`${store}/layers`)], []);
  }));

Deno.test("more layers than the kernel stacks are refused with advice", () => {
  checkStack("layer x", MAX_STACK);
  const error = assertThrows(() => checkStack("layer x", MAX_STACK + 1), LayerfsError);
  assertEquals(error.code, "unsupported");
  assertStringIncludes(error.message, "squash");
});

Deno.test("a container that begins empty needs no mount", () =>
  withStore([], async (driver, store) => {
    const container = { id: "one", rootfs: `${store}/rootfs`, top: null };
    assertEquals((await driver.rootfsStates([container])).size, 0);
    await refused(() => driver.mountRootfs(container), "not-found");
    await driver.createRootfs(container);
    await driver.mountRootfs(container);
    await Deno.writeTextFile(`${container.rootfs}/file`, "content");
    const state = (await driver.rootfsStates([container])).get("one");
    assert(state?.mounted && state.ownBytes > 0);
    await refused(() => driver.createRootfs(container), "conflict");
    await driver.unmountRootfs(container);
    assertEquals(await Deno.readTextFile(`${container.rootfs}/file`), "content");
    await driver.removeRootfs(container);
    await driver.removeRootfs(container);
    assertEquals([...Deno.readDirSync(store)].some(({ name }) => name === "rootfs"), false);
  }));

Deno.test("what is not there can be unmounted, removed and swept", () =>
  withStore([], async (driver, store) => {
    await driver.unmountLayer(TOP);
    assertEquals(await driver.removeLayer(TOP), "removed");
    const container = { id: "one", rootfs: `${store}/none/rootfs`, top: TOP };
    await driver.unmountRootfs(container);
    await driver.removeRootfs(container);
    await driver.sweep("none");
  }));

Deno.test("the space is that of the store's filesystem", () =>
  withStore([], async (driver, store) => {
    const { usedBytes, availableBytes } = (await driver.measure([])).capacity;
    assert(usedBytes > 0 && availableBytes > 0);
    await refused(() => new OverlayDriver(`${store}/none`).measure([]), "not-found");
  }));

Deno.test({
  name: "the probe tells an ordinary user that overlayfs is not for him",
  ignore: IS_ROOT, // tests/platform/overlay_failures.platform.ts has what root is told
  fn: async () => {
    assertEquals(await overlayProblem("/tmp"), "overlayfs can be mounted by root only");
    const message = await refused(
      () => new OverlayDriver("/tmp").initialize(),
      "privilege-missing",
    );
    assertStringIncludes(message, "root only");
  },
});
