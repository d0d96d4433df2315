/** What `df` and `layers` say of the directory driver is what du, df and find say. */

import { assert, assertEquals } from "@std/assert";
import { btrfsProblem, mountBtrfs } from "./btrfs.ts";
import { Layerfs, layerfsCommand, must, Work } from "./harness.ts";
import { noise, sharingImages } from "./stress_images.ts";

const MEBIBYTE = 1024 * 1024;

/** Bytes on disk below a directory, of each file once. */
async function diskUsage(directory: string): Promise<number> {
  return parseInt(await must(["du", "--summarize", "--block-size=1", directory]));
}

/** A column of `df` of the filesystem at a path, in bytes. */
async function column(path: string, name: string): Promise<number> {
  const table = await must(["df", "--block-size=1", `--output=${name}`, path]);
  return Number(table.trim().split("\n").at(-1));
}

/** Makes a container with changes, and compares all figures. @param place of the store */
async function compare(work: Work, place: string, keepsLayers: boolean): Promise<void> {
  const [image] = sharingImages(work.directory, 1);
  assert(image !== undefined);
  const layerfs = new Layerfs(await layerfsCommand(), `${place}/store`);
  const { rootfs } = await layerfs.create(["--name", "web", image.reference]);
  await Deno.writeFile(`${rootfs}/large`, noise(3 * MEBIBYTE, 7));
  await must(["sync", "--file-system", place]);
  const json = async (command: string) => JSON.parse(await must(layerfs.argv([command, "--json"])));
  const { blobs, layers, containers, capacity } = await json("df");
  assertEquals(blobs, { count: 0, bytes: 0, reclaimableBytes: 0 });
  const own = await diskUsage(rootfs);
  assert(own > 3 * MEBIBYTE);
  assertEquals(containers, { count: 1, bytes: own, reclaimableBytes: 0 });
  assertEquals(capacity, {
    usedBytes: await column(place, "used"),
    availableBytes: await column(place, "avail"),
  });
  const rows: { chainId: string; parent: string | null; bytes: number }[] = await json("layers");
  assertEquals(rows.length, keepsLayers ? image.layers : 0);
  assertEquals(layers.count, rows.length);
  assertEquals(layers.bytes, rows.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const { chainId, parent, bytes } of rows) {
    const tree = `${layerfs.store}/layers/${chainId.slice("sha256:".length)}/tree`;
    // What a layer has in common with the one below counts for that one.
    if (parent === null) assertEquals(bytes, await diskUsage(tree));
    else assert(bytes < await diskUsage(tree));
  }
}

Deno.test("df: without layers, containers have all", async () => {
  await using work = await Work.create();
  await compare(work, await work.tmpfs("plain", "64m"), false);
});

const problem = await btrfsProblem();

Deno.test({
  name: `df: where blocks are shared, a layer has its own${
    problem === null ? "" : ` (${problem})`
  }`,
  ignore: problem !== null,
  fn: async () => {
    await using work = await Work.create();
    await compare(work, await mountBtrfs(work), true);
  },
});
