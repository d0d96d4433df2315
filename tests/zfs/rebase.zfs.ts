/** Containers that are moved to other images, with the driver "zfs". */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mount } from "../../src/container/mount.ts";
import { LayerfsError } from "../../src/errors.ts";
import { rebaseTests } from "../container/rebase_contract.ts";
import { RebaseGround } from "../container/rebase_ground.ts";
import { zfsStore } from "./ground.ts";
import { datasets, property, zfs } from "./harness.ts";

rebaseTests("zfs", () => Promise.resolve(zfsStore()));

/** Stands before zfs in the PATH: kills who calls it for the KILL_AT-th change of datasets. */
const KILLER = `#!/bin/sh
PATH=\${PATH#*:}
case "$1" in
rename | set | destroy)
  echo >>"$KILL_COUNT"
  [ "$(wc -l <"$KILL_COUNT")" != "$KILL_AT" ] || { kill -9 $PPID; exit 1; }
  ;;
esac
exec zfs "$@"
`;

Deno.test("zfs: rebase: killed before each change of datasets", async () => {
  const options = zfsStore();
  await using ground = new RebaseGround(options);
  const base = await ground.tree("echo > f");
  const images = [
    await ground.image(base),
    await ground.image(await ground.tree("echo > v", base)),
  ] as const;
  await ground.create(images[1], "other"); // so that the layers are there
  const { rootfs } = await ground.create(images[0], "web", { overrides: { quota: 50_000_000 } });
  await Deno.writeTextFile(`${rootfs}/own`, "mine");
  await Deno.mkdir(`${ground.path}/bin`);
  await Deno.writeTextFile(`${ground.path}/bin/zfs`, KILLER, { mode: 0o700 });
  let target = 1;
  let kills = 0;
  for (let at = 1; at < 9; at++) {
    const child = ground.start("web", images[target]!, {
      PATH: `${ground.path}/bin:${Deno.env.get("PATH")}`,
      KILL_COUNT: `${ground.path}/count-${at}`,
      KILL_AT: String(at),
    });
    const { success, signal } = await child.status;
    assert(success || signal === "SIGKILL");
    await ground.assertClean(["litter"]);
    await mount(ground.work, "web");
    await ground.assertClean();
    const names = [...Deno.readDirSync(rootfs)].map(({ name }) => name).sort();
    assertEquals(names, target === 1 ? ["f", "own", "v"] : ["f", "own"], `${at}`);
    assertEquals((await datasets(`${options.dataset}/staging`)).length, 1);
    assertEquals((await datasets(`${options.dataset}/containers`)).length, 3);
    const dataset = `${options.dataset}/containers/web`;
    assertEquals(await property(dataset, "mountpoint"), rootfs);
    assertEquals(await property(dataset, "quota"), "50000000");
    target = 1 - target;
    if (!success) kills++;
  }
  // Aside, in its place, its mount point, and what was replaced.
  assert(kills >= 4, `${kills}`);
});

Deno.test("zfs: rebase: a snapshot that somebody has made is not lost", async () => {
  const options = zfsStore();
  await using ground = new RebaseGround(options);
  const image = await ground.image(await ground.tree("echo > f"));
  await ground.create(image, "web");
  const snapshot = `${options.dataset}/containers/web@mine`;
  await zfs("snapshot", snapshot);
  const error = await assertRejects(() => ground.rebase("web", image), LayerfsError);
  assertEquals(error.code, "conflict");
  assertStringIncludes(error.message, `"${snapshot}"`);
  await zfs("destroy", snapshot);
  await ground.rebase("web", image);
  await ground.assertClean();
});
