/** Root filesystems of the overlay driver that somebody uses. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { end, kill } from "../fixtures/child.ts";
import { dir, file } from "../fixtures/tar.ts";
import { must, outcome, start, Work } from "./harness.ts";
import { mountsIn, OverlayStore, type TestContainer } from "./overlay_store.ts";

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

const BASE = [dir("."), dir("a"), file("a/kept", "2")];

Deno.test("what uses a root filesystem is named, and nothing of it is removed", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("one", await store.add("base", null, BASE));
  await Deno.writeTextFile(`${container.rootfs}/own`, "content");
  const near = start(["sleep", "1000"], { cwd: container.rootfs });
  await untilNamed(near.pid, "sleep");
  await assertBusy(store, container, near);
  await must(["mount", "-t", "tmpfs", "layerfs-platform", `${container.rootfs}/a`]);
  try {
    for (const end of [store.driver.unmountRootfs, store.driver.removeRootfs]) {
      const message = await refused(() => end.call(store.driver, container), "busy");
      assertStringIncludes(message, `"${container.rootfs}/a" is mounted in it`);
    }
  } finally {
    await must(["umount", `${container.rootfs}/a`]);
  }
  assertEquals(await Deno.readTextFile(`${container.rootfs}/own`), "content");
  for (let times = 0; times < 2; times++) await store.driver.unmountRootfs(container);
  assertEquals(await names(container.rootfs), []);
  await store.driver.mountRootfs(container);
  await store.driver.mountRootfs(container);
  assertEquals(await mountsIn(container.bundle), [container.rootfs]);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/own`), "content");
  for (let times = 0; times < 2; times++) await store.driver.removeRootfs(container);
  assertEquals(await names(container.bundle), []);
});

Deno.test("nothing is removed from under a container that runs", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("one", await store.add("base", null, BASE));
  await Deno.writeTextFile(`${container.rootfs}/own`, "content");
  // As a runtime does: in a mount namespace of its own, on a mount of its own, which ours is not.
  const inside = `mount --bind "$1" "$1" && cd "$1" && exec sleep 1000`;
  const namespace = ["unshare", "--mount", "--propagation=private", "--"];
  const holder = start([...namespace, "sh", "-c", inside, "sh", container.rootfs]);
  const bystander = start([...namespace, "sleep", "1000"]); // has a copy of every mount, and no use
  try {
    await untilNamed(holder.pid, "sleep");
    await untilNamed(bystander.pid, "sleep");
    const message = await refused(() => store.driver.removeRootfs(container), "busy");
    assertStringIncludes(message, `sleep (${holder.pid})`);
    assert(!message.includes(`${bystander.pid}`), message);
    assertEquals(await names(`${container.bundle}/overlay/upper`), ["own"]);
    await end(holder);
    await store.driver.mountRootfs(container);
    assertEquals(await Deno.readTextFile(`${container.rootfs}/own`), "content");
    await store.driver.removeRootfs(container);
  } finally {
    for (const child of [holder, bystander]) await end(child);
  }
  assertEquals(await names(container.bundle), []);
});

/** Waits until a process that was started has become another program. */
async function untilNamed(pid: number, name: string): Promise<void> {
  const script = `until [ "$(cat /proc/$1/comm)" = "$2" ]; do sleep 0.01; done`;
  await must(["timeout", "20", "sh", "-c", script, "sh", `${pid}`, name]);
}

/** Asserts that `holder`, a sleep, keeps a root filesystem from being unmounted; then ends it. */
async function assertBusy(
  store: OverlayStore,
  container: TestContainer,
  holder: Deno.ChildProcess,
) {
  try {
    for (const end of [store.driver.unmountRootfs, store.driver.removeRootfs]) {
      const message = await refused(() => end.call(store.driver, container), "busy");
      assertStringIncludes(message, `sleep (${holder.pid})`);
      assertEquals(await Deno.readTextFile(`${container.rootfs}/own`), "content");
    }
  } finally {
    kill(holder);
    await outcome(holder);
  }
}

Deno.test("what lets go within a moment is waited for", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("one", await store.add("base", null, BASE));
  const holder = start(["sleep", "0.2"], { cwd: container.rootfs });
  await store.driver.unmountRootfs(container);
  await outcome(holder);
  assertEquals(await mountsIn(container.bundle), []);
});

Deno.test("nothing is mounted a second time over what a container uses that runs", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const container = await store.container("one", await store.add("base", null, BASE));
  const inside = ["sh", "-c", `cd "$1" && exec sleep 1000`, "sh", container.rootfs];
  const holder = start(["unshare", "--mount", "--propagation=private", "--", ...inside]);
  try {
    await untilNamed(holder.pid, "sleep");
    await store.driver.unmountRootfs(container);
    const message = await refused(() => store.driver.mountRootfs(container), "busy");
    assertStringIncludes(message, `sleep (${holder.pid})`);
    assertEquals(await mountsIn(container.bundle), []);
    await end(holder);
    await store.driver.mountRootfs(container);
    assertEquals(await mountsIn(container.bundle), [container.rootfs]);
  } finally {
    await end(holder);
  }
});

Deno.test("what somebody has mounted over a mount of ours stays, and ours below it", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, BASE);
  const { driver } = store;
  const [one, empty] = [await store.container("one", base), await store.container("empty", null)];
  const view = await store.view(base);
  const attempts: [string, (() => Promise<unknown>)[]][] = [
    [one.rootfs, [() => driver.unmountRootfs(one), () => driver.removeRootfs(one)]],
    [empty.rootfs, [() => driver.removeRootfs(empty)]],
    [view, [() => driver.unmountLayer(base), () => driver.removeLayer(base)]],
  ];
  for (const [place, works] of attempts) {
    const before = await mountsIn(place);
    await must(["mount", "-t", "tmpfs", "layerfs-platform", place]);
    try {
      for (const work of works) {
        assertStringIncludes(
          await refused(work, "busy"),
          `something else is mounted over it ("layerfs-platform" at "${place}"); unmount that first`,
        );
      }
      assertEquals(await mountsIn(place), [...before, place]);
    } finally {
      await must(["umount", place]);
    }
    assertEquals(await mountsIn(place), before);
  }
  assertEquals(await Deno.readTextFile(`${one.rootfs}/a/kept`), "2");
  await driver.unmountLayer(base);
  for (const container of [one, empty]) {
    await driver.removeRootfs(container);
    assertEquals(await names(container.bundle), []);
  }
});

Deno.test("files of a damaged layer stay as long as anything of the store is mounted", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const { driver } = store;
  const base = await store.add("base", null, BASE);
  const container = await store.container("one", base);
  await Deno.writeTextFile(`${store.diff(base)}/../layer.json`, "damaged");
  assertStringIncludes(
    await refused(() => driver.repairLayer(base), "storage"),
    "its record is damaged; create a container of its image again",
  );
  assertEquals(await Deno.readTextFile(`${store.diff(base)}/a/kept`), "2");
  assertEquals(await store.add("base", null, BASE), base); // as another container of the image does
  assertEquals((await driver.listStrays()).brokenLayers, []);
  const [replaced = "", ...others] = (await driver.listStrays()).staging;
  assertEquals(others, []);
  assert(replaced.startsWith("replaced-"), replaced);
  const holder = start(["unshare", "--mount", "--propagation=private", "--", "sleep", "1000"]);
  try {
    await untilNamed(holder.pid, "sleep");
    await refused(() => driver.sweep(replaced), "busy");
    assertEquals(await Deno.readTextFile(`${container.rootfs}/a/kept`), "2");
    await driver.unmountRootfs(container);
    await refused(() => driver.sweep(replaced), "busy"); // it is mounted in another namespace
  } finally {
    await end(holder);
  }
  assertEquals(await names(`${store.path}/layers/${replaced}/diff`), ["a", "a/kept"]);
  await driver.sweep(replaced);
  assertEquals((await driver.listStrays()).staging, []);
  await driver.mountRootfs(container);
  assertEquals(await Deno.readTextFile(`${container.rootfs}/a/kept`), "2");
});
