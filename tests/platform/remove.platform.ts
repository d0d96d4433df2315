/** What rm and the sweep of litter must spare. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Layerfs, must, run, Work } from "./harness.ts";

Deno.test("rm spares what is mounted in a container, and so does the sweep", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const [rootfs, host] = [work.path("rootfs"), work.path("host")];
  await Deno.mkdir(`${rootfs}/mnt`, { recursive: true });
  await Deno.mkdir(host);
  await Deno.writeTextFile(`${host}/precious`, "x");
  const create = ["create", "--name", "web", "--rootfs", rootfs, "true"];
  const bundle = (await must(layerfs.argv(create))).trim();
  const mounted = `${bundle}/rootfs/mnt`;
  await must(["mount", "--bind", host, mounted]);
  work.defer(() => run(["umount", mounted]));

  const busy = await layerfs.run(["rm", "--force", "web"]);
  assertEquals(busy.code, 5, busy.stderr);
  assertStringIncludes(busy.stderr, mounted);
  assertEquals(Deno.readTextFileSync(`${host}/precious`), "x");

  // As a removal would have left it whose process was killed.
  const staging = `${layerfs.store}/staging`;
  await Deno.mkdir(`${staging}/dead`);
  await Deno.writeTextFile(`${staging}/dead.lock`, "");
  await Deno.mkdir(`${staging}/dead/mnt`);
  const litter = await Deno.realPath(`${staging}/dead/mnt`);
  await must(["mount", "--bind", host, litter]);
  work.defer(() => run(["umount", litter]));
  await must(layerfs.argv(["create", "--name", "next", "--rootfs", rootfs, "true"]));
  assertEquals(Deno.readTextFileSync(`${host}/precious`), "x");

  await must(["umount", mounted]);
  await must(["umount", litter]);
  await must(layerfs.argv(["rm", "web", "next"]));
  assertEquals([...Deno.readDirSync(staging)], []);
});
