/** Mounts of root filesystems that are not what they should be. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../../src/process.ts";
import { Ground } from "./ground.ts";
import { datasets, isZfsFuse } from "./harness.ts";

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
