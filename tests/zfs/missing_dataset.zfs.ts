/** Datasets of a store that are not there: what is said, again and again, and what mends it. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { mount, unmount } from "../../src/container/mount.ts";
import { Ground, refusal } from "./ground.ts";
import { zfs } from "./harness.ts";

for (const place of ["in the store", "elsewhere"]) {
  Deno.test(`a create says what is missing each time, and leaves nothing once it is there: ${place}`, async () => {
    await using ground = new Ground();
    const image = await ground.image(await ground.tree("echo content > f"));
    await ground.create(image, "web");
    await unmount(ground.work, "web");
    await ground.rename(ground.dataset, `${ground.dataset}-away`);
    const bundle = `${ground.path}/bundle`;
    const more = place === "elsewhere" ? { bundle } : {};
    for (let round = 0; round < 3; round++) {
      const error = await refusal(() => ground.create(image, "new", more));
      assertEquals([round, error.code], [round, "environment-missing"]);
      assertStringIncludes(error.message, `there is no dataset "${ground.dataset}"`);
    }
    await ground.rename(`${ground.dataset}-away`, ground.dataset);
    await ground.create(image, "new", more);
    await ground.remove("new");
    assertEquals(await ground.problems(false), []);
  });
}

/** What is set on a dataset itself; zfs-fuse lists it in any order. */
async function settings(dataset: string): Promise<string[]> {
  const lines = await zfs("get", "-H", "-o", "property,value", "-s", "local", "all", dataset);
  return lines.split("\n").sort();
}

for (const name of ["layers", "containers", "staging"]) {
  Deno.test(`fsck --repair makes a missing dataset as it was: ${name}`, async () => {
    await using ground = new Ground();
    const image = await ground.image(await ground.tree("echo content > f"));
    await ground.create(image, "web");
    await ground.remove("web");
    const dataset = `${ground.dataset}/${name}`;
    const before = await settings(dataset);
    await zfs("destroy", "-r", dataset);
    if (name === "staging") {
      // A container whose layers are there does without.
      assertEquals(await ground.problems(false), [`missing-dataset ${dataset}`]);
    }
    const asking = [() => ground.check(false), () => ground.create(image, "new")];
    for (const action of name === "staging" ? [] : asking) {
      const error = await refusal(action);
      assertEquals(error.code, "environment-missing");
      assertStringIncludes(error.message, `there is no dataset "${dataset}"`);
      assertStringIncludes(error.message, "layerfs fsck --repair");
    }
    const [first] = await ground.problems(true);
    assertEquals(first, `missing-dataset ${dataset} repaired`);
    assertEquals(await settings(dataset), before);
    assertEquals(await ground.problems(false), []);
    await ground.create(image, "new");
    await ground.remove("new");
    assertEquals(await ground.problems(false), []);
  });
}

Deno.test("fsck --repair replaces no container where their dataset was renamed", async () => {
  await using ground = new Ground();
  const rootfs = await ground.container("web");
  await Deno.writeTextFile(`${rootfs}/own`, "mine");
  await unmount(ground.work, "web");
  const containers = `${ground.dataset}/containers`;
  await ground.rename(containers, `${ground.dataset}/away`);
  const problems = await ground.check(true);
  assertEquals(problems.map(({ kind, subject, repaired }) => [kind, subject, repaired]), [
    ["missing-dataset", containers, true],
    ["missing-rootfs", "web", false],
  ]);
  const rename = `"zfs rename ${ground.dataset}/away/web ${containers}/web"`;
  assertStringIncludes(problems[1]?.detail ?? "", rename);
  await ground.rename(`${ground.dataset}/away/web`, `${containers}/web`);
  assertEquals(await ground.problems(false), []);
  await mount(ground.work, "web");
  assertEquals(await Deno.readTextFile(`${rootfs}/own`), "mine");
});

Deno.test("a missing root dataset: what the advice says mends it", async () => {
  await using ground = new Ground();
  const image = await ground.image(await ground.tree("echo content > f"));
  await ground.create(image, "web");
  await ground.remove("web");
  const before = await settings(`${ground.dataset}/layers`);
  await zfs("destroy", "-r", ground.dataset);
  const error = await refusal(() => ground.check(true));
  assertEquals(error.code, "environment-missing");
  const [, advice = ""] = /"zfs (create [^"]+)", and layerfs fsck --repair/.exec(error.message) ??
    [];
  await zfs(...advice.split(" "));
  const found = await ground.problems(true);
  assertEquals(found.filter((problem) => problem.startsWith("missing-dataset")).length, 3);
  assertEquals(await settings(`${ground.dataset}/layers`), before);
  assertEquals(await ground.problems(false), []);
  await ground.create(image, "web");
});
