/** Mounts of root filesystems that are not what they should be. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { commitContainer } from "../../src/container/commit.ts";
import { diffContainer } from "../../src/container/diff.ts";
import { mount, unmount } from "../../src/container/mount.ts";
import { run } from "../../src/process.ts";
import { Ground, refusal } from "./ground.ts";
import { datasets, isZfsFuse, must } from "./harness.ts";

Deno.test("a create in another mount namespace than zfs-fuse says so, and is swept", async () => {
  // OpenZFS mounts in the namespace of whoever asks.
  if (!await isZfsFuse()) return;
  await using ground = new Ground();
  const tree = await ground.tree("echo content > f");
  const image = await ground.image(tree);
  await ground.create(image, "web");
  for (const [id, ...what] of [["a", image], ["b", "--rootfs", tree, "sh"]]) {
    const isolated = ["--mount", "--propagation", "private", "env", Deno.execPath()];
    const [mod, config] = ["mod.ts", "deno.json"].map((name) => {
      return new URL(`../../${name}`, import.meta.url).pathname;
    });
    const flags = ["run", "--quiet", "--no-check", "-P=create", `--config=${config}`, `${mod}`];
    const create = ["create", "--store", ground.work.store, "--name", `${id}`, ...what];
    const { code, stderr } = await run("unshare", [...isolated, ...flags, ...create]);
    // A clone is mounted at once, and busy then; another dataset is said to be mounted.
    assertEquals(code, id === "a" ? 5 : 7, stderr);
    assertStringIncludes(stderr, `/containers/${id}"`);
    assertStringIncludes(stderr, "but not where we can see it");
    assertStringIncludes(stderr, "run in that namespace");
  }
  // Where it can be unmounted, the next command does that.
  await ground.create(image, "next");
  assertEquals(
    (await datasets(`${ground.dataset}/containers`)).map((name) => name.split("/").at(-1)),
    ["containers", "next", "web"],
  );
  assertEquals(await ground.problems(false), []);
});

Deno.test("what is mounted over a root filesystem is not taken for it", async () => {
  await using ground = new Ground();
  const rootfs = await ground.container("web");
  const over = () => must("mount", "-t", "tmpfs", "somebody", rootfs);
  const look = {
    mount: () => mount(ground.work, "web"),
    diff: () => diffContainer(ground.work, "web"),
    commit: () =>
      commitContainer({
        ...ground.work,
        id: "web",
        name: "bad:1",
      }),
  };
  for (const mounted of [true, false]) {
    if (!mounted) await unmount(ground.work, "web");
    await over();
    try {
      for (const [name, action] of Object.entries(look)) {
        const error = await refusal(action);
        assertEquals([name, error.code], [name, "conflict"]);
        assertStringIncludes(error.message, `"somebody" (tmpfs) is mounted in its place`);
      }
      const [problem, ...others] = await ground.check(true);
      assertEquals([problem?.kind, problem?.subject, problem?.repaired, others], [
        "stray-mount",
        rootfs,
        false,
        [],
      ]);
      assertStringIncludes(problem?.detail ?? "", '"somebody" (tmpfs)');
    } finally {
      await must("umount", rootfs);
    }
  }
  assertEquals(await ground.problems(false), []);
  await mount(ground.work, "web");
  assertEquals(await Deno.readTextFile(`${rootfs}/f`), "content\n");
});
