import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { chooseDriver, Store } from "../../src/store/store.ts";

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-store-" });
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a store is made on its first use, for its owner only, and remembers its driver", async () => {
  await withDirectory(async (directory) => {
    const store = `${directory}/some/store`;
    assertEquals(chooseDriver({ store, driver: "auto" }).name, "directory");
    assertThrows(() => Deno.statSync(store), Deno.errors.NotFound);
    await Store.open({ store, driver: "auto" });
    for (const below of ["", "/containers", "/staging"]) {
      assertEquals(Deno.statSync(store + below).mode! & 0o777, 0o700, below);
    }
    assertEquals(JSON.parse(Deno.readTextFileSync(`${store}/store.json`)), {
      version: 1,
      driver: "directory",
    });
    assertEquals(chooseDriver({ store, driver: "auto" }).reason, "the store was made with it");
  });
});

Deno.test("a driver that contradicts the store's, or does not exist yet, is refused", async () => {
  await withDirectory(async (store) => {
    assertThrows(() => chooseDriver({ store, driver: "zfs" }), LayerfsError, '"zfs"');
    await Store.open({ store, driver: "directory" });
    const error = await assertRejects(
      () => Store.open({ store, driver: "zfs" }),
      LayerfsError,
      'was made with driver "directory"',
    );
    assertEquals(error.code, "conflict");
  });
});

Deno.test("a dataset is not passed over: no driver of this version can use one", async () => {
  await withDirectory(async (store) => {
    for (const driver of ["auto", "zfs"] as const) {
      const open = () => Store.open({ store, driver, dataset: "tank/x" });
      assertEquals((await assertRejects(open, LayerfsError)).code, "unsupported");
    }
    const open = () => Store.open({ store, driver: "directory", dataset: "tank/x" });
    assertEquals((await assertRejects(open, LayerfsError, '"tank/x"')).code, "usage");
    assertEquals([...Deno.readDirSync(store)], []);
  });
});

Deno.test("a damaged store.json is named", async () => {
  await withDirectory(async (store) => {
    Deno.writeTextFileSync(`${store}/store.json`, "{");
    const open = () => Store.open({ store, driver: "auto" });
    assertEquals((await assertRejects(open, LayerfsError, "store.json")).code, "storage");
  });
});

Deno.test("a store of a later version is refused", async () => {
  await withDirectory(async (store) => {
    Deno.writeTextFileSync(`${store}/store.json`, '{"version":2}');
    const error = await assertRejects(() => Store.open({ store, driver: "auto" }), LayerfsError);
    assertEquals(error.code, "unsupported");
    assert(error.message.endsWith("update layerfs"));
  });
});

Deno.test("opening a store sweeps the litter of processes that died", async () => {
  await withDirectory(async (store) => {
    Deno.mkdirSync(`${store}/staging/dead/bundle/rootfs`, { recursive: true });
    Deno.writeTextFileSync(`${store}/staging/dead.lock`, "");
    await Store.open({ store, driver: "auto" });
    assertEquals([...Deno.readDirSync(`${store}/staging`)], []);
  });
});
