/**
 * A container of a real image on ZFS: its tree is what umoci unpacks, runc starts it, and it leaves
 * no trace. Skipped where LAYERFS_TEST_IMAGE is "none" (the image takes a network to build) and where
 * there is no runc.
 */

import { assertEquals } from "@std/assert";
import { differences, readTree, type Tree } from "../../platform/compare.ts";
import {
  type Created,
  image,
  layerfsCommand,
  must,
  referenceTree,
  run,
  Work,
} from "../../platform/harness.ts";

const pool = Deno.env.get("LAYERFS_TEST_POOL");
const hasImage = Deno.env.get("LAYERFS_TEST_IMAGE") !== "none";
const hasRunc = (await run(["sh", "-c", "command -v runc"])).code === 0;
const missing = pool === undefined
  ? "LAYERFS_TEST_POOL names no pool"
  : !hasImage
  ? 'LAYERFS_TEST_IMAGE is "none"'
  : !hasRunc
  ? "there is no runc"
  : null;

/** The whole seconds of a time as `find` prints it: zfs-fuse cuts off the rest, towards 1970. */
function second(mtime: string): string {
  return mtime.split(".")[0] ?? "";
}

/** The tree as a filesystem keeps it that knows no fractions of seconds. */
function inSeconds(tree: Tree): Tree {
  return new Map([...tree].map(([path, entry]) => {
    return [path, { ...entry, mtime: second(entry.mtime) }];
  }));
}

/** Whether the filesystem at `directory` keeps fractions of seconds: zfs-fuse does not. */
async function keepsFractions(directory: string): Promise<boolean> {
  const probe = `${directory}/layerfs-time-probe`;
  await must(["touch", "--date=@1.5", probe]);
  return (await must(["stat", "--format=%.1Y", probe])).trim() === "1.5";
}

/** The tree of the image "bench": "debian" has two files more, of which zfs-fuse cannot have one. */
async function benchTree(): Promise<Tree> {
  const tree = new Map(await referenceTree());
  for (const path of ["srv/hard-to-lower", "srv/far-owner"]) tree.delete(path);
  return tree;
}

/** A layerfs with a store of its own on the pool, and a name that no other container has. */
async function prepare(work: Work): Promise<{ layerfs: string[]; dataset: string; id: string }> {
  const id = `layerfs-zfs-${crypto.randomUUID().slice(0, 8)}`;
  const dataset = `${pool}/${id}`;
  const store = work.path("store");
  work.defer(() => must(["zfs", "destroy", "-R", "-f", dataset]));
  work.defer(() => run(["umount", `${store}/containers/${id}/rootfs`]));
  work.defer(() => run(["runc", "delete", "--force", id]));
  const options = ["--store", store, "--driver", "zfs", "--dataset", dataset];
  return { layerfs: [...await layerfsCommand(), ...options], dataset, id };
}

Deno.test({
  name: "zfs: a container of the real image is what umoci unpacks, runs, and leaves no trace" +
    (missing === null ? "" : ` (skipped: ${missing})`),
  ignore: missing !== null,
  async fn() {
    await using work = await Work.create();
    const { layerfs, dataset, id } = await prepare(work);
    const list = () => must(["zfs", "list", "-H", "-r", "-t", "all", "-o", "name", dataset]);
    // The datasets that every store has are made with the first container.
    await Deno.mkdir(work.path("empty"));
    await must([...layerfs, "create", "--rootfs", work.path("empty"), "--name", "first", "true"]);
    await must([...layerfs, "rm", "first"]);
    const before = await list();

    const create = [...layerfs, "--json", "create", "--name", id, await image("bench")];
    const created: Created = JSON.parse(await must(create));
    assertEquals([created.driver, created.layers.applied], ["zfs", created.layers.total]);
    const found = await readTree(created.rootfs);
    const expected = await benchTree();
    const lines = await keepsFractions(created.rootfs)
      ? differences(found, expected)
      : differences(inSeconds(found), inSeconds(expected));
    assertEquals(lines.slice(0, 40), []);

    const config = `${created.bundle}/config.json`;
    const json = JSON.parse(await Deno.readTextFile(config));
    json.process.args = ["python3", "-c", "print(6 * 7)"];
    await Deno.writeTextFile(config, JSON.stringify(json));
    assertEquals((await must(["runc", "run", "--bundle", created.bundle, id])).trim(), "42");

    await must([...layerfs, "rm", id]);
    await must([...layerfs, "gc"]);
    assertEquals(await list(), before);
    assertEquals((await must([...layerfs, "--json", "ps"])).trim(), "[]");
  },
});
