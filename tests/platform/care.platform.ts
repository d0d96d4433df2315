/** gc and fsck on the overlay driver: what they take away, and what they must leave alone. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { imageLayout } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { Layerfs, must, run, Work } from "./harness.ts";

interface Problem {
  kind: string;
  subject: string;
  repaired: boolean;
}

/** A store with the container "web" of an image of three layers. */
async function prepare(work: Work, options: string[] = []): Promise<Layerfs> {
  const layers = ["one", "two", "three"].map((name) => ({ tar: tarball([file(name, name)]) }));
  await imageLayout(work.path("image"), { layers });
  const layerfs = await Layerfs.inside(work, ["--driver", "overlay"]);
  const { bundle } = await layerfs.create(["--name", "web", ...options, image(work), "/one"]);
  work.defer(() => run(["umount", `${bundle}/rootfs`]));
  return layerfs;
}

function image(work: Work): string {
  return `oci:${work.path("image")}`;
}

async function problems(layerfs: Layerfs, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await layerfs.run(["--json", "fsck", ...args]);
  assert(stdout.startsWith("{"), stderr);
  const { problems } = JSON.parse(stdout) as { problems: Problem[] };
  return problems.map(({ kind, repaired }) => kind + (repaired ? " repaired" : "")).sort();
}

async function layerNames(layerfs: Layerfs): Promise<string[]> {
  return JSON.parse(await must(layerfs.argv(["layers", "--json"])))
    .map(({ chainId }: { chainId: string }) => chainId);
}

Deno.test("gc keeps what images and containers need, and takes the rest", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work);
  assertEquals((await layerNames(layerfs)).length, 3);
  await must(layerfs.argv(["gc"]));
  assertEquals((await layerNames(layerfs)).length, 3);
  await must(layerfs.argv(["pull", image(work), "--as", "kept"]));
  await must(layerfs.argv(["rm", "web"]));
  await must(layerfs.argv(["gc"]));
  assertEquals((await layerNames(layerfs)).length, 3);
  await must(layerfs.argv(["rmi", "kept"]));
  const dry = JSON.parse(await must(layerfs.argv(["gc", "--dry-run", "--json"])));
  assertEquals([dry.layers.length, dry.blobs.length, dry.dryRun], [3, 5, true]);
  assertEquals((await layerNames(layerfs)).length, 3);
  const collected = JSON.parse(await must(layerfs.argv(["gc", "--json"])));
  assertEquals([collected.layers, collected.blobs], [dry.layers, dry.blobs]);
  assertEquals(await layerfs.contents(), []);
});

Deno.test("gc refuses where it cannot tell what a container needs", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work, ["--bundle", work.path("bundle")]);
  await must(layerfs.argv(["unmount", "web"]));
  // As when the filesystem that the bundle is on is not mounted.
  await Deno.rename(work.path("bundle"), work.path("away"));
  const lost = await layerfs.run(["gc"]);
  assertEquals(lost.code, 7, lost.stderr);
  assertStringIncludes(lost.stderr, "containers/web");
  await Deno.rename(work.path("away"), work.path("bundle"));
  await Deno.rename(work.path("bundle/layerfs.json"), work.path("record"));
  assertEquals((await layerfs.run(["gc"])).code, 7);
  assertEquals(await problems(layerfs, "--repair"), ["damaged-record"]);
  await Deno.rename(work.path("record"), work.path("bundle/layerfs.json"));
  assertEquals((await layerNames(layerfs)).length, 3);
  await must(layerfs.argv(["mount", "web"]));
  assertEquals(await Deno.readTextFile(work.path("bundle/rootfs/one")), "one");
  await must(layerfs.argv(["rm", "web"]));
});

Deno.test("fsck finds a layer that a container needs, and a create of the image mends it", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work);
  const top = (await layerNames(layerfs)).at(-1)?.slice("sha256:".length);
  await must(layerfs.argv(["unmount", "web"]));
  await must(["rm", "-r", `${layerfs.store}/layers/${top}`]);
  assertEquals(await problems(layerfs, "--repair"), ["missing-layer"]);
  assertEquals((await layerfs.run(["gc"])).code, 7);
  await layerfs.create(["--name", "other", image(work), "/one"]);
  assertEquals(await problems(layerfs), []);
  await must(layerfs.argv(["mount", "web"]));
  await must(layerfs.argv(["rm", "web", "other"]));
});

Deno.test("fsck unmounts nothing that layerfs has not mounted", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work);
  const place = `${layerfs.store}/blobs`;
  await must(["mount", "-t", "tmpfs", "layerfs-platform", place]);
  work.defer(() => run(["umount", place]));
  await Deno.writeTextFile(`${place}/precious`, "x");
  assertEquals(await problems(layerfs, "--repair"), ["stray-mount"]);
  assertEquals(await Deno.readTextFile(`${place}/precious`), "x");
  await must(["umount", place]);
  await must(layerfs.argv(["rm", "web"]));
});

Deno.test("fsck --deep names an altered file, its size and time as they were", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work);
  assertEquals(await problems(layerfs, "--deep"), []);
  const base = (await layerNames(layerfs))[0]?.slice("sha256:".length);
  const path = `${layerfs.store}/layers/${base}/diff/one`;
  await must([
    "bash",
    "-c",
    'touch -r "$1" "$2"; printf 0 | dd of="$1" conv=notrunc status=none; touch -r "$2" "$1"',
    "alter",
    path,
    work.path("time"),
  ]);
  const { code, stdout } = await layerfs.run(["fsck", "--deep"]);
  assertEquals(code, 7);
  assertStringIncludes(stdout, '"one"');
  assertEquals(await problems(layerfs, "--deep"), ["altered-layer"]);
  await must(layerfs.argv(["rm", "web"]));
});

Deno.test("fsck --deep --repair removes an altered layer that nothing needs any more", async () => {
  await using work = await Work.create();
  await imageLayout(work.path("image"), { layers: [{ tar: tarball([file("one", "one")]) }] });
  const layerfs = await Layerfs.inside(work, ["--driver", "overlay"]);
  const { bundle } = await layerfs.create(["--name", "web", image(work), "/one"]);
  work.defer(() => run(["umount", `${bundle}/rootfs`]));
  const [layer = ""] = await layerNames(layerfs);
  const path = `${layerfs.store}/layers/${layer.slice("sha256:".length)}/diff/one`;
  await Deno.writeTextFile(path, "two");
  const needed = await layerfs.run(["fsck", "--deep", "--repair"]);
  assertEquals(needed.code, 7, needed.stderr);
  assertStringIncludes(needed.stdout, 'container "web" is on top of it; remove what needs it');
  assertEquals(await layerNames(layerfs), [layer]);
  await must(layerfs.argv(["rm", "web"]));
  assertEquals(await problems(layerfs, "--deep", "--repair"), ["altered-layer repaired"]);
  assertEquals(await layerNames(layerfs), []);
  await layerfs.create(["--name", "anew", image(work), "/one"]);
  assertEquals(await Deno.readTextFile(`${layerfs.store}/containers/anew/rootfs/one`), "one");
  assertEquals(await problems(layerfs, "--deep"), []);
  await must(layerfs.argv(["rm", "anew"]));
});

Deno.test("what is mounted over a root filesystem is not taken for it", async () => {
  await using work = await Work.create();
  const layerfs = await prepare(work);
  const rootfs = `${layerfs.store}/containers/web/rootfs`;
  await must(layerfs.argv(["unmount", "web"]));
  await must(["mount", "-t", "tmpfs", "layerfs-platform", rootfs]);
  work.defer(() => run(["umount", rootfs]));
  for (const args of [["mount", "web"], ["commit", "web", "bad:1"]]) {
    const { code, stderr } = await layerfs.run(args);
    assertEquals(code, 5, stderr);
    assertStringIncludes(stderr, '"layerfs-platform" (tmpfs) is mounted in its place');
  }
  assertEquals(await problems(layerfs, "--repair"), ["stray-mount"]);
  await must(["umount", rootfs]);
  assertEquals(await problems(layerfs), []);
  await must(layerfs.argv(["mount", "web"]));
  assertEquals(await Deno.readTextFile(`${rootfs}/one`), "one");
  assertEquals(await problems(layerfs), []);
  await must(layerfs.argv(["rm", "web"]));
});
