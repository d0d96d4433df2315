import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { Claim, isClaimed, readClaim } from "../../src/store/claim.ts";
import type { Driver } from "../../src/store/driver.ts";
import { Store } from "../../src/store/store.ts";
import { sweepUntil } from "./sweeping.ts";

/** A store that is open, in a directory of its own. */
async function withStore(body: (store: Store, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "layerfs-claim-" }));
  try {
    using store = await Store.open({ store: `${directory}/store`, driver: "directory" });
    await body(store, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const names = (directory: string) =>
  [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

const inStore = { kind: "create", id: "web", elsewhere: null, top: null } as const;

/** Makes what is claimed, as create does. */
async function make(store: Store, bundle: string, claim: string): Promise<void> {
  await store.driver.createRootfs({ id: "web", rootfs: `${bundle}/rootfs`, top: null, claim });
  Deno.writeTextFileSync(`${bundle}/rootfs/file`, "x");
}

Deno.test("a claim that is committed is a container, taken back it is again", () =>
  withStore(async (store) => {
    const bundle = `${store.containers}/web`;
    await using staging = store.stage();
    {
      await using claim = Claim.create(inStore, store, staging);
      assert(isClaimed(bundle, store.staging));
      await make(store, bundle, staging.name);
      claim.commit("{}\n");
    }
    assertEquals(names(bundle), ["layerfs.json", "rootfs"]);
    await using claim = Claim.take({ ...inStore, kind: "remove" }, store, staging);
    assertEquals(names(bundle), [`.layerfs-${staging.name}`, "rootfs"]);
    claim.giveBack();
    assertEquals(names(bundle), ["layerfs.json", "rootfs"]);
    assertEquals(Deno.readTextFileSync(`${bundle}/layerfs.json`), "{}\n");
    assertEquals(readClaim(staging.path), null);
  }));

Deno.test("a claim that is not settled is discarded, in the store and elsewhere", () =>
  withStore(async (store, directory) => {
    for (const elsewhere of [null, `${directory}/bundle`]) {
      await using staging = store.stage();
      {
        await using _claim = Claim.create({ ...inStore, elsewhere }, store, staging);
        await make(store, elsewhere ?? `${store.containers}/web`, staging.name);
        assertEquals(names(store.containers), ["web"]);
      }
      assertEquals(names(store.containers), []);
    }
    assertEquals(names(directory), ["store"]);
    assertEquals(names(store.staging), []);
  }));

Deno.test("a name that leads somewhere is nobody else's, record or not", () =>
  withStore(async (store, directory) => {
    const elsewhere = `${directory}/one`;
    await using staging = store.stage();
    await using claim = Claim.create({ ...inStore, elsewhere }, store, staging);
    for (const other of [null, `${directory}/other`]) {
      await using second = store.stage();
      const steal = () => Claim.create({ ...inStore, elsewhere: other }, store, second);
      assertEquals(assertThrows(steal, LayerfsError).code, "conflict");
    }
    assertEquals(Deno.readLinkSync(`${store.containers}/web`), elsewhere);
    await claim.discard();
    assertEquals(names(directory), ["store"]);
  }));

Deno.test("a bundle that cannot be made leaves nothing, and what is there as it is", () =>
  withStore(async (store, directory) => {
    Deno.mkdirSync(`${directory}/full`);
    Deno.writeTextFileSync(`${directory}/full/file`, "x");
    {
      await using staging = store.stage();
      const claim = () =>
        Claim.create({ ...inStore, elsewhere: `${directory}/full` }, store, staging);
      assertEquals(assertThrows(claim, LayerfsError).code, "conflict");
    }
    assertEquals(names(`${directory}/full`), ["file"]);
    assertEquals([names(store.containers), names(store.staging)], [[], []]);
  }));

Deno.test("what cannot be discarded stays claimed until a sweep can", () =>
  withStore(async (store) => {
    const busy: Driver = Object.create(store.driver, {
      removeRootfs: { value: () => Promise.reject(new LayerfsError("busy", "Cannot: in use")) },
    });
    let name = "";
    await assertRejects(async () => {
      await using staging = store.stage();
      name = staging.name;
      await using _claim = Claim.create(inStore, {
        ...store,
        containers: store.containers,
        driver: busy,
      }, staging);
      await make(store, `${store.containers}/web`, name);
    }, LayerfsError);
    assert(isClaimed(`${store.containers}/web`, store.staging));
    assertEquals(await sweepUntil(1, () => store.sweep()), [name]);
    assertEquals([names(store.containers), names(store.staging)], [[], []]);
  }));

Deno.test("a claim of a dead process is swept, also where the store has moved since", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "layerfs-claim-" }));
  try {
    const options = { store: `${directory}/store`, driver: "directory" } as const;
    {
      using store = await Store.open(options);
      const dead = `${store.staging}/dead`;
      Deno.mkdirSync(dead);
      Deno.writeTextFileSync(`${dead}.lock`, "");
      Deno.writeTextFileSync(`${dead}/claim.json`, JSON.stringify(inStore));
      Deno.mkdirSync(`${store.containers}/web/rootfs`, { recursive: true });
      Deno.writeTextFileSync(`${store.containers}/web/.layerfs-dead`, "");
    }
    Deno.renameSync(options.store, `${directory}/moved`);
    using moved = await Store.open({ ...options, store: `${directory}/moved` });
    assertEquals([names(moved.containers), names(moved.staging)], [[], []]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a sweep believes no path without the marker of its claim", () =>
  withStore(async (store, directory) => {
    Deno.mkdirSync(`${directory}/victim`);
    Deno.writeTextFileSync(`${directory}/victim/.layerfs-other`, "");
    const dead = `${store.staging}/dead`;
    Deno.mkdirSync(dead);
    Deno.writeTextFileSync(`${dead}.lock`, "");
    const elsewhere = `${directory}/victim`;
    Deno.writeTextFileSync(`${dead}/claim.json`, JSON.stringify({ ...inStore, elsewhere }));
    assertEquals(await sweepUntil(1, () => store.sweep()), ["dead"]);
    assertEquals(names(elsewhere), [".layerfs-other"]);
  }));
