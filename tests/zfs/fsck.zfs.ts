/** What fsck finds on ZFS, and what it mends: nothing that somebody may want is lost. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { removeUnused } from "../../src/container/gc.ts";
import { mount, unmount } from "../../src/container/mount.ts";
import { run } from "../../src/process.ts";
import { isMountPoint } from "../../src/store/mount_point.ts";
import { Ground, refusal } from "./ground.ts";
import { datasets, must, zfs } from "./harness.ts";

for (const place of ["store", "elsewhere"]) {
  Deno.test(`fsck: a renamed root filesystem is neither replaced nor another's: ${place}`, async () => {
    await using ground = new Ground();
    const bundle = `${ground.path}/bundle`;
    const rootfs = await ground.container("web", place === "store" ? {} : { bundle });
    await Deno.writeTextFile(`${rootfs}/own`, "mine");
    const containers = `${ground.dataset}/containers`;
    await unmount(ground.work, "web");
    await ground.rename(`${containers}/web`, `${containers}/other`);
    const rename = `"zfs rename ${containers}/other ${containers}/web"`;
    for (const repair of [false, true, true]) {
      const problems = await ground.check(repair);
      assertEquals(problems.map(({ kind, subject, repaired }) => [kind, subject, repaired]), [
        ["missing-record", "other", false],
        ["missing-rootfs", "web", false],
      ]);
      for (const { detail } of repair ? problems : problems.slice(1)) {
        assertStringIncludes(detail, rename);
      }
      assertEquals((await datasets(containers)).length, 2);
      assertEquals(await ground.ids(), ["web"]);
      assertEquals([...Deno.readDirSync(`${ground.work.store}/containers`)].length, 1);
    }
    await ground.rename(`${containers}/other`, `${containers}/web`);
    assertEquals(await ground.problems(false), []);
    await mount(ground.work, "web");
    assertEquals(await Deno.readTextFile(`${rootfs}/own`), "mine");
  });
}

Deno.test("fsck: a root filesystem that was renamed out of the store's datasets is not replaced", async () => {
  await using ground = new Ground();
  await ground.container("web");
  const containers = `${ground.dataset}/containers`;
  await unmount(ground.work, "web");
  await ground.rename(`${containers}/web`, `${ground.dataset}/aside`);
  const [problem, ...others] = await ground.check(true);
  assertEquals([problem?.kind, problem?.repaired, others], ["missing-rootfs", false, []]);
  const rename = `zfs rename ${ground.dataset}/aside ${containers}/web`;
  assertStringIncludes(problem?.detail ?? "", rename);
  assertEquals(await datasets(containers), [containers]);
  // Where there is none, a new clone takes its place.
  await zfs("destroy", `${ground.dataset}/aside`);
  assertEquals(await ground.problems(true), ["missing-rootfs web repaired"]);
  assertEquals(await ground.problems(false), []);
});

Deno.test("fsck: a root filesystem gets its record back", async () => {
  await using ground = new Ground();
  const bundle = `${ground.path}/bundle`;
  const places = [["usual", await ground.container("usual")]] as [string, string][];
  places.push(["elsewhere", await ground.container("elsewhere", { bundle })]);
  for (const [id, rootfs] of places) {
    await Deno.writeTextFile(`${rootfs}/own`, id);
    await Deno.remove(`${rootfs}/../layerfs.json`);
  }
  await Deno.remove(`${ground.work.store}/containers/elsewhere`);
  const found = ["missing-record elsewhere", "missing-record usual"];
  assertEquals(await ground.problems(false), found);
  assertEquals(await ground.ids(), []);
  assertEquals(await ground.problems(true), found.map((problem) => `${problem} repaired`));
  assertEquals(await ground.problems(false), []);
  assertEquals(await ground.ids(), ["elsewhere", "usual"]);
  for (const [id, rootfs] of places) {
    await unmount(ground.work, id);
    await mount(ground.work, id);
    assertEquals(await Deno.readTextFile(`${rootfs}/own`), id);
  }
  // Only the name is missing: the record stays as it is.
  const record = await Deno.readTextFile(`${bundle}/layerfs.json`);
  await Deno.remove(`${ground.work.store}/containers/elsewhere`);
  assertEquals(await ground.problems(true), ["missing-record elsewhere repaired"]);
  assertEquals(await Deno.readTextFile(`${bundle}/layerfs.json`), record);
  assertEquals(await ground.problems(false), []);
  for (const [id] of places) await ground.remove(id);
  assertEquals((await datasets(`${ground.dataset}/containers`)).length, 1);
});

Deno.test("gc: a bundle without a record is for fsck to mend, and not for hands to remove", async () => {
  await using ground = new Ground();
  const rootfs = await ground.container("web");
  await Deno.writeTextFile(`${rootfs}/own`, "mine");
  await Deno.remove(`${rootfs}/../layerfs.json`);
  const collect = () => removeUnused({ ...ground.work, dryRun: false });
  const error = await refusal(collect);
  assertStringIncludes(error.message, 'what container "web" needs');
  assertStringIncludes(error.message, "layerfs fsck --repair");
  assert(!/\bremove\b/.test(error.message), error.message);
  assertEquals(await ground.problems(true), ["missing-record web repaired"]);
  assertEquals((await collect()).layers, []);
  assertEquals(await Deno.readTextFile(`${rootfs}/own`), "mine");
});

Deno.test("fsck: a root filesystem in the bundle of another container gets no record there", async () => {
  await using ground = new Ground();
  const rootfs = await ground.container("web");
  const containers = `${ground.dataset}/containers`;
  await unmount(ground.work, "web");
  await ground.rename(`${containers}/web`, `${containers}/other`);
  await Deno.remove(`${ground.work.store}/containers/web/layerfs.json`);
  const problems = await ground.check(true);
  const rename = `"zfs rename ${containers}/other ${containers}/web"`;
  assertEquals(problems.map(({ kind, subject, repaired }) => [kind, subject, repaired]), [
    ["missing-record", "other", false],
    ["damaged-record", "web", false],
  ]);
  assertStringIncludes(problems[0]?.detail ?? "", rename);
  assertEquals(await ground.ids(), []);
  await ground.rename(`${containers}/other`, `${containers}/web`);
  assertEquals(await ground.problems(true), ["missing-record web repaired"]);
  await mount(ground.work, "web");
  assert(isMountPoint(rootfs));
});

Deno.test("fsck: what the store says of its layers is made again from the pool", async () => {
  await using ground = new Ground();
  await ground.container("web");
  const upper = ground.layers([
    await ground.tar(await ground.tree("echo lower > a")),
    await ground.tar(await ground.tree("echo upper > b")),
  ]);
  await ground.create(upper, "two");
  const directory = `${ground.work.store}/layers`;
  const read = () =>
    Object.fromEntries(
      [...Deno.readDirSync(directory)].map(({ name }) => [
        name,
        JSON.parse(Deno.readTextFileSync(`${directory}/${name}`)),
      ]),
    );
  const before = read();
  const names = Object.keys(before).sort();
  assertEquals(names.length, 3);
  const [lost = "", damaged = "", kept = ""] = names;
  await Deno.remove(`${directory}/${lost}`);
  await Deno.writeTextFile(`${directory}/${damaged}`, "{");
  const broken = [lost, damaged].map((name) => `broken-layer ${name.replace(".json", "")}`);
  assertEquals((await ground.problems(false)).filter(isBroken).sort(), broken);
  const repaired = await ground.problems(true);
  assertEquals(repaired.filter(isBroken).sort(), broken.map((problem) => `${problem} repaired`));
  // "used" of a dataset is what it is now: the rest is in the pool as it was.
  const record = ({ bytes: _, ...rest }: Record<string, unknown>) => rest;
  const after = read();
  for (const name of names) assertEquals(record(after[name]), record(before[name]));
  assertEquals(after[kept], before[kept]);
  assertEquals(await ground.problems(false), []);
  // A file without a dataset is nothing that is lost.
  const nothing = `${"0".repeat(64)}.json`;
  const text = JSON.stringify(before[kept]).replaceAll(kept.slice(0, 64), "0".repeat(64));
  await Deno.writeTextFile(`${directory}/${nothing}`, text);
  assertEquals(await ground.problems(true), [`litter ${"0".repeat(64)} repaired`]);
  assertEquals(Object.keys(read()).sort(), names);
});

function isBroken(problem: string): boolean {
  return problem.startsWith("broken-layer ") && !problem.includes("sha256:");
}

Deno.test("fsck: the mount of a layer that is not there any more is unmounted", async () => {
  await using ground = new Ground();
  await ground.container("web");
  const views = `${ground.work.store}/views`;
  const stray = `${views}/${"1".repeat(64)}`;
  const own = `${views}/somebody`;
  for (const place of [stray, own]) {
    await Deno.mkdir(place);
    await must("mount", "-t", "tmpfs", "layerfs-test", place);
  }
  try {
    const found = [`stray-mount ${stray}`, `stray-mount ${own}`];
    assertEquals(await ground.problems(false), found);
    assertEquals(await ground.problems(true), [`${found[0]} repaired`, `${found[1]}`]);
    assertEquals([isMountPoint(stray), isMountPoint(own)], [false, true]);
    assertEquals(await ground.problems(false), [`${found[1]}`]);
  } finally {
    await must("umount", own);
    if (isMountPoint(stray)) await must("umount", stray);
  }
  // A view of a layer belongs to it.
  const [layer = ""] = await ground.layerIds();
  await mount(ground.work, layer);
  assertEquals(await ground.problems(true), []);
  await unmount(ground.work, layer);
});

Deno.test("fsck --deep finds an altered layer, and --repair takes it back to its snapshot", async () => {
  await using ground = new Ground();
  const rootfs = await ground.container("web");
  const [layer = ""] = await ground.layerIds();
  const hex = layer.slice("sha256:".length);
  const dataset = `${ground.dataset}/layers/${hex}`;
  const view = `${ground.work.store}/views/${hex}`;
  assertEquals(await ground.problems(true, true), []);
  for (const keepsMounted of [false, true]) {
    await alter(dataset, view, keepsMounted);
    assertEquals(await ground.problems(false), []);
    const [found, ...others] = await ground.check(false, true);
    assertEquals([found?.kind, found?.subject, others], ["altered-layer", layer, []]);
    assertStringIncludes(found?.detail ?? "", '"f"');
    const [mended] = await ground.check(true, true);
    assertEquals([mended?.detail, mended?.repaired], ['"f": content differs', true]);
    assertEquals(isMountPoint(view), keepsMounted);
    assertEquals(await ground.problems(false, true), []);
    assertEquals(await mount(ground.work, layer), view);
    assertEquals(await Deno.readTextFile(`${view}/f`), "content\n");
    assertEquals([...Deno.readDirSync(view)].map(({ name }) => name), ["f"]);
    await unmount(ground.work, layer);
  }
  // A snapshot that somebody has made since would be lost.
  await alter(dataset, view, false);
  await zfs("snapshot", `${dataset}@mine`);
  const [kept] = await ground.check(true, true);
  assertEquals([kept?.kind, kept?.repaired], ["altered-layer", false]);
  assertStringIncludes(kept?.detail ?? "", `"${dataset}@mine" would be lost`);
  assert((await datasets(dataset)).includes(`${dataset}@mine`));
  await zfs("destroy", `${dataset}@mine`);
  const [last] = await ground.check(true, true);
  assertEquals([last?.detail, last?.repaired], ['"f": content differs', true]);
  assertEquals(await Deno.readTextFile(`${rootfs}/f`), "content\n");
});

/** Overwrites the layer's file, as one who may write to a layer's dataset can. */
async function alter(dataset: string, view: string, keepsMounted: boolean): Promise<void> {
  await zfs("set", "readonly=off", dataset);
  await patiently("mount", dataset);
  await Deno.writeTextFile(`${view}/f`, "altered\n");
  if (!keepsMounted) await patiently("unmount", dataset);
  await zfs("inherit", "readonly", dataset);
}

/** What was mounted, or written, a moment ago is busy with zfs-fuse. */
async function patiently(verb: string, dataset: string): Promise<void> {
  for (let tries = 20;; tries--) {
    const { code, stderr } = await run("zfs", [verb, dataset]);
    if (code === 0) return;
    if (tries === 0 || !stderr.includes("busy")) throw new Error(stderr);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
