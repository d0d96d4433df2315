/** What fsck --deep finds in layers that are directories, and what it mends. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fsck } from "../../src/container/fsck.ts";
import { listLayers } from "../../src/container/layers.ts";
import { Store } from "../../src/store/store.ts";
import { RebaseGround } from "./rebase_ground.ts";

Deno.test("directory: an altered layer is found, and removed unless it is needed", async () => {
  await using ground = new RebaseGround({ driver: "directory", deno: [Deno.execPath()] });
  const { store } = ground.work;
  (await Store.open(ground.work))[Symbol.dispose]();
  // As where the filesystem can share blocks; elsewhere its copies only take more room.
  await Deno.writeTextFile(
    `${store}/store.json`,
    JSON.stringify({ version: 1, driver: "directory", keepsLayers: true }),
  );
  const base = await ground.tree("echo content > f");
  const lower = await ground.tar(base);
  const upper = await ground.tar(await ground.tree("echo more > g"));
  const image = ground.layers([lower, upper]);
  const { rootfs } = await ground.create(image, "web");
  const problems = async (repair: boolean) => {
    const { problems } = await fsck({ ...ground.work, deep: true, repair });
    return problems.map(({ kind, subject, repaired, detail }) => ({
      is: [kind, subject, repaired],
      detail,
    }));
  };
  const ids = async () => (await listLayers(ground.work)).map(({ chainId }) => chainId);
  const layers = await listLayers(ground.work);
  const first = layers.find(({ parent }) => parent === null)?.chainId ?? "";
  const second = layers.find(({ parent }) => parent === first)?.chainId ?? "";
  const file = (id: string, name: string) => `${store}/layers/${id.slice(7)}/tree/${name}`;
  assertEquals(await problems(true), []);

  await Deno.writeTextFile(file(second, "g"), "else\n");
  assertEquals((await problems(false)).map(({ is }) => is), [["altered-layer", second, false]]);
  assertEquals((await ids()).length, 2);
  assertEquals((await problems(true)).map(({ is }) => is), [["altered-layer", second, true]]);
  assertEquals(await ids(), [first]);
  await ground.create(image, "anew");
  assertEquals((await ids()).length, 2);
  assertEquals(await Deno.readTextFile(`${rootfs}/../../anew/rootfs/g`), "more\n");

  // What another layer is on top of stays, and is said to be needed.
  await Deno.writeTextFile(file(first, "f"), "altered\n");
  const [found, ...others] = await problems(true);
  assertEquals([found?.is, others], [["altered-layer", first, false], []]);
  assertStringIncludes(found?.detail ?? "", '"f"');
  assertStringIncludes(
    found?.detail ?? "",
    `layer ${second} is on top of it; remove what needs it`,
  );
  assertEquals((await ids()).length, 2);
});
