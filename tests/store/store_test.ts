import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { chooseDriver, hasNoLayers } from "../../src/store/settings.ts";
import { Store } from "../../src/store/store.ts";

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
    const options = { store: `${directory}/some/store`, driver: "directory" } as const;
    assertEquals(await chooseDriver(options), {
      name: "directory",
      reason: "it was asked for",
    });
    assertEquals(await Store.read(options), null);
    assertThrows(() => Deno.statSync(options.store), Deno.errors.NotFound);
    (await Store.open(options))[Symbol.dispose]();
    for (const below of ["", "/containers", "/staging"]) {
      assertEquals(Deno.statSync(options.store + below).mode! & 0o777, 0o700, below);
    }
    const { keepsLayers, ...settings } = JSON.parse(
      Deno.readTextFileSync(`${options.store}/store.json`),
    );
    assertEquals(settings, { version: 1, driver: "directory" });
    assertEquals(typeof keepsLayers, "boolean");
    for (const driver of ["auto", "directory"] as const) {
      const { reason } = await chooseDriver({ ...options, driver });
      assertEquals(reason, "the store was made with it");
    }
  });
});

Deno.test("auto takes overlayfs or says why not, and makes no store to find out", async () => {
  await withDirectory(async (directory) => {
    const { name, reason } = await chooseDriver({ store: `${directory}/store`, driver: "auto" });
    if (name === "directory") assertMatch(reason, /^no dataset was named, and \w/);
    else assertEquals(name, "overlay");
    assertEquals([...Deno.readDirSync(directory)], []);
  });
});

Deno.test("a driver or dataset that contradicts the store's is refused", async () => {
  await withDirectory(async (store) => {
    (await Store.open({ store, driver: "directory" }))[Symbol.dispose]();
    for (
      const options of [
        { store, driver: "overlay" },
        { store, driver: "auto", dataset: "tank/x" },
      ] as const
    ) {
      const open = () => Store.open(options);
      const error = await assertRejects(open, LayerfsError, 'was made with driver "directory"');
      assertEquals(error.code, "conflict");
    }
  });
});

Deno.test("a dataset needs the driver zfs, and the driver zfs a dataset", async () => {
  await withDirectory(async (store) => {
    for (
      const options of [
        { store, driver: "directory", dataset: "tank/x" },
        { store, driver: "zfs" },
      ] as const
    ) {
      const error = await assertRejects(() => Store.open(options), LayerfsError);
      assertEquals(error.code, "usage", error.message);
    }
    const choice = await chooseDriver({ store, driver: "auto", dataset: "tank/x" });
    assertEquals(choice, { name: "zfs", dataset: "tank/x", reason: "a dataset was named" });
    assertEquals([...Deno.readDirSync(store)], []);
  });
});

Deno.test("of ten first uses at a time, all get the settings of one", async () => {
  await withDirectory(async (store) => {
    const open = () => Store.open({ store, driver: "directory" });
    const stores = await Promise.all(Array.from({ length: 10 }, open));
    for (const each of stores) each[Symbol.dispose]();
    const files = [...Deno.readDirSync(store)].filter(({ name }) => name.startsWith("store.json"));
    assertEquals(files.map(({ name }) => name), ["store.json"]);
  });
});

Deno.test("that there is no layer is known of a new store, and of one that keeps none", async () => {
  await withDirectory((store) => {
    assert(hasNoLayers(`${store}/new`));
    const table: readonly (readonly [object, boolean])[] = [
      [{ driver: "directory" }, true],
      [{ driver: "directory", keepsLayers: false }, true],
      [{ driver: "directory", keepsLayers: true }, false],
      [{ driver: "overlay" }, false],
      [{ driver: "zfs", dataset: "tank/layerfs" }, false],
    ];
    for (const [settings, none] of table) {
      Deno.writeTextFileSync(`${store}/store.json`, JSON.stringify({ version: 1, ...settings }));
      assertEquals([settings, hasNoLayers(store)], [settings, none]);
    }
    return Promise.resolve();
  });
});

Deno.test("a damaged store.json is named, whatever is wrong with it", async () => {
  await withDirectory(async (store) => {
    const settings = { version: 1, driver: "directory" };
    const wrong = [
      null,
      [],
      {},
      1,
      { ...settings, version: 0 },
      { ...settings, driver: "ext4" },
      { ...settings, driver: null },
      { ...settings, dataset: "tank/x" },
      { ...settings, keepsLayers: 1 },
      { ...settings, path: 1 },
      { ...settings, driver: "zfs" },
      { ...settings, driver: "zfs", dataset: 1 },
    ].map((value) => JSON.stringify(value));
    for (const text of ["", "{", ...wrong]) {
      Deno.writeTextFileSync(`${store}/store.json`, text);
      const options = { store, driver: "auto" } as const;
      for (const open of [() => Store.open(options), () => Store.read(options)]) {
        const error = await assertRejects(open, LayerfsError, "store.json is damaged");
        assertEquals(error.code, "storage", text);
      }
    }
  });
});

Deno.test("a store that has lost its store.json is not made anew", async () => {
  for (
    const lose of [
      (store: string) => Deno.mkdirSync(`${store}/containers/web/rootfs`, { recursive: true }),
      (store: string) => Deno.symlinkSync("/nowhere", `${store}/containers/web`),
      (store: string) => Deno.mkdirSync(`${store}/layers/0123/tree`, { recursive: true }),
      (store: string) => Deno.writeTextFileSync(`${store}/index.json`, '{"manifests":[{}]}'),
    ]
  ) {
    await withDirectory(async (store) => {
      (await Store.open({ store, driver: "directory" }))[Symbol.dispose]();
      lose(store);
      Deno.removeSync(`${store}/store.json`);
      for (const driver of ["auto", "overlay", "directory"] as const) {
        const options = { store, driver };
        for (const open of [() => Store.open(options), () => Store.read(options)]) {
          const error = await assertRejects(open, LayerfsError, "store.json is missing, though");
          assertEquals(error.code, "storage");
        }
      }
      assertThrows(() => Deno.statSync(`${store}/store.json`), Deno.errors.NotFound);
      const text = '{"version":1,"driver":"directory"}';
      Deno.writeTextFileSync(`${store}/store.json`, text);
      (await Store.open({ store, driver: "auto" }))[Symbol.dispose]();
    });
  }
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
    (await Store.open({ store, driver: "directory" }))[Symbol.dispose]();
    assertEquals([...Deno.readDirSync(`${store}/staging`)], []);
  });
});
