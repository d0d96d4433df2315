/** The overlay driver with the kernel's overlayfs: what no other driver has. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { dir, file, hardlink, opaque, symlink, whiteout } from "../fixtures/tar.ts";
import { must, run, Work } from "./harness.ts";
import { attributesOf, chainIdOf, mountsIn, OverlayStore } from "./overlay_store.ts";

/** Rejects with an error of this code, whose message is returned. */
async function refused(work: () => Promise<unknown>, code: string): Promise<string> {
  const error = await assertRejects(work, LayerfsError);
  assertEquals(error.code, code, error.message);
  return error.message;
}

/** Names below `directory`. */
async function names(directory: string): Promise<string[]> {
  return (await must(["find", directory, "-mindepth", "1", "-printf", "%P\n"])).split("\n")
    .filter((name) => name !== "").sort();
}

const BASE = [
  dir("."),
  dir("a"),
  file("a/gone", "1"),
  file("a/kept", "2"),
  dir("opaque"),
  file("opaque/old", "3"),
  dir("again"),
  file("again/old", "4"),
  dir("replaced"),
  file("replaced/old", "5"),
  file("linked", "6", { mode: 0o4755, uid: 7 }),
];

const CHANGES = [
  whiteout("a/gone"),
  opaque("opaque"),
  file("opaque/new", "7"),
  whiteout("again"),
  dir("again", { mode: 0o700 }),
  file("again/new", "8"),
  symlink("replaced", "a"),
  hardlink("link", "linked"),
];

Deno.test("layers are kept in the kernel's own format, and read back from it", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, BASE);
  const top = await store.add("top", base, CHANGES);
  const diff = store.diff(top);
  assertEquals(
    await must(["stat", "--format=%F %t:%T", `${diff}/a/gone`]),
    "character special file 0:0\n",
  );
  const opaqueOf = [
    "getfattr",
    "--absolute-names",
    "--only-values",
    "--name=trusted.overlay.opaque",
  ];
  assertEquals(await must([...opaqueOf, `${diff}/again`]), "y");
  const own = ["a", "a/gone", "again", "again/new", "link", "linked"];
  assertEquals(await names(diff), [...own, "opaque", "opaque/new", "opaque/old", "replaced"]);
  const foreign = [
    "getfattr",
    "--recursive",
    "--physical",
    "--dump",
    "--match=redirect|metacopy|nlink",
  ];
  assertEquals(await must([...foreign, diff]), "");
  for (const tree of [await store.view(top), (await store.container("one", top)).rootfs]) {
    const merged = ["a", "a/kept", "again", "again/new", "link", "linked", "opaque", "opaque/new"];
    assertEquals(await names(tree), [...merged, "replaced"]);
    assertEquals(await Deno.readLink(`${tree}/replaced`), "a");
    const inode = ["stat", "--format=%i %h %a %u"];
    const linked = await must([...inode, `${tree}/linked`]);
    assertEquals(await must([...inode, `${tree}/link`]), linked);
    assert(linked.endsWith(" 2 4755 7\n"), linked);
  }
});

Deno.test("a layer is there after its commit only, and leaves nothing else", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, BASE);
  const chainId = chainIdOf("dropped");
  {
    await using staging = store.stage();
    await using staged = await store.driver.prepareLayer(chainId, store.record(base), staging.name);
    await Deno.writeTextFile(`${staged.root}/file`, "content");
    assertEquals(await mountsIn(store.path), [staged.root]);
    assertEquals((await store.driver.findLayers([chainId])).size, 0);
  }
  assertEquals(await mountsIn(store.path), []);
  assertEquals(await names(`${store.path}/staging`), []);
  const [layer, ...others] = await store.driver.listLayers();
  assertEquals(others, []);
  assertEquals({ ...layer, bytes: 0 }, { ...store.record(base)!, bytes: 0, mounted: false });
  const du = await must(["du", "--summarize", "--block-size=1", store.diff(base)]);
  assertEquals(layer?.bytes, parseInt(du));
  assertEquals(await store.driver.removeLayer(base), "removed");
  assertEquals(await names(`${store.path}/layers`), []);
});

Deno.test("the root of every tree has exactly the attributes of the top layer's root", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const pax = {
    mtime: "1000000000.123456789",
    "SCHILY.xattr.user.note": "ours",
    "SCHILY.xattr.trusted.note": "secret",
  };
  const root = dir(".", { mode: 0o1751, uid: 12, gid: 34, pax });
  const base = await store.add("base", null, [root, file("file", "x")]);
  const expected = await attributesOf(store.diff(base));
  for (const part of ["43e9 12:34", ".123456789", "trusted.note", "user.note"]) {
    assertStringIncludes(expected, part);
  }
  const silent = await store.add("silent", base, [dir("dir"), file("dir/file", "y")]);
  const said = await store.add("said", silent, [dir(".", { mode: 0o700, uid: 5 })]);
  assertEquals(await attributesOf(store.diff(silent)), expected);
  assert(await attributesOf(store.diff(said)) !== expected);
  for (const top of [base, silent, said]) {
    const container = await store.container(`c${top.slice(7, 15)}`, top);
    const attributes = await attributesOf(store.diff(top));
    assertEquals(await attributesOf(container.rootfs), attributes);
    assertEquals(await attributesOf(await store.view(top)), attributes);
    await store.driver.unmountRootfs(container);
    await store.driver.mountRootfs(container);
    assertEquals(await attributesOf(container.rootfs), attributes);
  }
});

const ODD = 'a b,c:d\\e=é "f"\\040';

Deno.test("500 layers can be mounted, from a store whose path has every odd character", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work, `${await work.tmpfs("memory", "64m")}/${ODD}`);
  let top: Digest | null = null;
  for (let number = 1; number < 500; number++) top = await store.put(number, top);
  const last = await store.add("last", top, [whiteout("250"), file("500", "500")]);
  const expected = Array.from({ length: 500 }, (_, i) => `${i + 1}`).filter((n) => n !== "250");
  const container = await store.container("many", last);
  for (const tree of [container.rootfs, await store.view(last)]) {
    assertEquals(await names(tree), [...expected].sort());
    assertEquals(await Deno.readTextFile(`${tree}/1`), "1");
  }
  assertEquals((await store.driver.listLayers()).filter(({ mounted }) => mounted).length, 1);
  await using staging = store.stage();
  const prepare = () => store.driver.prepareLayer(chainIdOf("x"), store.record(last), staging.name);
  const message = await refused(prepare, "unsupported");
  assertStringIncludes(message, "it has 501 layers");
  assertStringIncludes(message, "squash");
  const beyond = await store.put(501, last);
  const other = await store.bundle("beyond", beyond);
  await refused(() => store.driver.createRootfs(other), "unsupported");
  await refused(() => store.driver.mountLayer(beyond), "unsupported");
  assertEquals(await names(other.bundle), []);
});

Deno.test("a view is read-only, and mounting and unmounting can be repeated", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, BASE);
  const top = await store.add("top", base, CHANGES);
  for (const layer of [base, top]) {
    const view = await store.view(layer);
    assertEquals(await store.driver.mountLayer(layer), view);
    assertEquals(await mountsIn(view), [view]);
    for (const argv of [["touch", `${view}/new`], ["rm", `${view}/linked`], ["chmod", "0", view]]) {
      assertStringIncludes((await run(argv)).stderr, "Read-only file system");
    }
    const remount = await run(["mount", "-o", "remount,rw", view]);
    assert(remount.code !== 0);
    const mounted = (await store.driver.listLayers()).filter(({ mounted }) => mounted);
    assertEquals(mounted.map(({ chainId }) => chainId), [layer]);
    await store.driver.unmountLayer(layer);
    await store.driver.unmountLayer(layer);
    assertEquals(await names(`${store.path}/views`), [".empty"]);
  }
  await store.driver.mountLayer(top);
  await store.driver.removeLayer(top);
  assertEquals(await mountsIn(store.path), []);
});

Deno.test("a container that began empty is a plain directory", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("empty", null);
  assertEquals(await mountsIn(container.bundle), []);
  await Deno.mkdir(`${container.rootfs}/mnt`);
  await Deno.writeFile(`${container.rootfs}/file`, new Uint8Array(1 << 20));
  const state = (await store.driver.rootfsStates([container])).get("empty");
  assert(state?.mounted && state.ownBytes >= 1 << 20 && state.ownBytes < 2 << 20);
  await must(["mount", "-t", "tmpfs", "layerfs-platform", `${container.rootfs}/mnt`]);
  try {
    await store.driver.unmountRootfs(container); // nothing of ours is mounted
    const remove = () => store.driver.removeRootfs(container);
    assertStringIncludes(await refused(remove, "busy"), `"${container.rootfs}/mnt"`);
    assertEquals(await names(container.rootfs), ["file", "mnt"]);
  } finally {
    await must(["umount", `${container.rootfs}/mnt`]);
  }
  await store.driver.removeRootfs(container);
  assertEquals(await names(container.bundle), []);
});

Deno.test("only what a container has changed counts as its own", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const big = file("big", new Uint8Array(8 << 20));
  const base = await store.add("base", null, [big]);
  const bundles = await work.tmpfs("elsewhere", "64m");
  const busy = await store.container("busy", base, bundles); // on another filesystem than its layers
  const idle = await store.container("idle", base);
  await Deno.writeFile(`${busy.rootfs}/own`, new Uint8Array(1 << 20));
  await store.driver.unmountRootfs(idle);
  const gone = { id: "gone", rootfs: `${bundles}/gone/rootfs`, top: base };
  const states = await store.driver.rootfsStates([busy, idle, gone]);
  assertEquals([...states.keys()], ["busy", "idle"]);
  assertEquals([...states.values()].map(({ mounted }) => mounted), [true, false]);
  const [own, none] = [...states.values()].map(({ ownBytes }) => ownBytes) as [number, number];
  assert(own >= 1 << 20 && own < 2 << 20, `${own}`);
  assert(none < 64 << 10, `${none}`);
});

Deno.test("a container whose root filesystem was lost in part is made anew, never over another", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("one", await store.add("base", null, BASE));
  const create = () => store.driver.createRootfs(container);
  await refused(create, "conflict");
  await store.driver.unmountRootfs(container);
  await Deno.writeTextFile(`${container.bundle}/overlay/upper/own`, "content");
  await refused(create, "conflict");
  assertEquals(await names(`${container.bundle}/overlay/upper`), ["own"]);
  await Deno.remove(container.rootfs);
  await store.driver.mountRootfs(container);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/own`), "content");
  await store.driver.unmountRootfs(container);
  await Deno.remove(`${container.bundle}/overlay/upper`, { recursive: true });
  await refused(() => store.driver.mountRootfs(container), "not-found");
  await create();
  assertEquals(await Deno.readTextFile(`${container.rootfs}/a/kept`), "2");
});
