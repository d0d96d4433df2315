/** The command line on ZFS: what it says agrees with ZFS, and what is missing is said, with its cure. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { layerfsCommand, must, run, Work } from "../../platform/harness.ts";
import { ordinaryUser } from "../../platform/ordinary_user.ts";
import { exists, type Ground } from "../../platform/stress_ground.ts";
import { noise } from "../../platform/stress_images.ts";
import { datasetOf, POOL, test } from "./ground.ts";

const MEBIBYTE = 1024 * 1024;

/** What a test reads of `df --json`. */
interface Space {
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly layers: {
    readonly count: number;
    readonly bytes: number;
    readonly reclaimableBytes: number;
  };
  readonly containers: { readonly count: number; readonly bytes: number };
  readonly capacity: { readonly usedBytes: number; readonly availableBytes: number };
}

/** A property of a dataset and of each below it, by name. */
async function properties(dataset: string, property: string): Promise<Map<string, string>> {
  const get = ["zfs", "get", "-H", "-p", "-r", "-o", "name,value", property, dataset];
  const rows = (await must(get)).split("\n").map((line) => line.split("\t"));
  return new Map(rows.flatMap(([name, value]) => {
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  }));
}

/** Bytes of all datasets right below a place of the store's, and how many these are. */
async function usedBelow(ground: Ground, place: string): Promise<{ count: number; bytes: number }> {
  const parent = `${datasetOf(ground.store)}/${place}`;
  const own = [...await properties(parent, "used")].filter(([name]) => {
    return name !== parent && !name.includes("@");
  });
  return { count: own.length, bytes: own.reduce((sum, [, used]) => sum + Number(used), 0) };
}

/** Lengths of the store's blobs. */
async function blobBytes(ground: Ground): Promise<number> {
  const find = ["find", `${ground.store}/blobs`, "-type", "f", "-printf", "%s\\n"];
  const lengths = (await must(find)).trim().split("\n").map(Number);
  return lengths.reduce((sum, length) => sum + length, 0);
}

test("df says what zfs says, and gc frees what df has said", async (ground, one) => {
  await ground.json(["pull", one.reference, "--as", "kept"]);
  await ground.create("web", one);
  await Deno.writeFile(`${ground.rootfs("web")}/large`, noise(3 * MEBIBYTE, 7));
  const root = datasetOf(ground.store);
  // What is not written to the pool yet is not counted yet; a snapshot writes it all.
  await must(["zfs", "snapshot", `${root}/containers/web@written`]);
  const space = await ground.json<Space>(["df"]);
  const { reclaimableBytes, ...layers } = space.layers;
  assertEquals(reclaimableBytes, 0);
  assertEquals(layers, await usedBelow(ground, "layers"));
  assertEquals(layers.count, one.layers);
  const { count, bytes } = space.containers;
  assertEquals({ count, bytes }, await usedBelow(ground, "containers"));
  assert(bytes >= 3 * MEBIBYTE && bytes < 4 * MEBIBYTE, `${bytes}`);
  assertEquals(space.capacity, {
    usedBytes: Number((await properties(root, "used")).get(root)),
    availableBytes: Number((await properties(root, "available")).get(root)),
  });
  // A manifest, a config, and a blob for each layer.
  assertEquals(space.blobs.count, one.layers + 2);
  assertEquals(space.blobs.bytes, await blobBytes(ground));

  await ground.json(["rm", "web"]);
  await ground.json(["rmi", "kept"]);
  const unused = await ground.json<Space>(["df"]);
  assertEquals(unused.layers, { ...layers, reclaimableBytes: layers.bytes });
  const { freedBytes } = await ground.json<{ freedBytes: number }>(["gc"]);
  assertEquals(freedBytes, layers.bytes + space.blobs.bytes);
  assertEquals(await usedBelow(ground, "layers"), { count: 0, bytes: 0 });
});

test("info says which driver there is, and why", async (ground, one) => {
  interface Info {
    readonly driver: string;
    readonly driverReason: string;
    readonly dataset: string;
    readonly containers: number;
    readonly programs: readonly { readonly program: string; readonly version: string | null }[];
  }
  const asked = await ground.json<Info>(["info"]);
  assertEquals([asked.driver, asked.driverReason], ["zfs", "it was asked for"]);
  assertEquals(exists(ground.store), false);
  await ground.create("web", one);
  const command = [...await layerfsCommand(), "--store", ground.store, "--json", "info"];
  const { driver, driverReason, dataset, containers, programs } = JSON.parse(await must(command));
  assertEquals([driver, driverReason], ["zfs", "the store was made with it"]);
  assertEquals([dataset, containers], [datasetOf(ground.store), 1]);
  const zfs = (programs as Info["programs"]).find(({ program }) => program === "zfs");
  assert(zfs?.version);
});

test("the layer of a squashed image is cloned from none", async (ground, one) => {
  const { diffId } = await ground.json<{ diffId: string }>(["squash", one.reference, "flat"]);
  const { rootfs, layers } = await ground.json<{ rootfs: string; layers: { total: number } }>(
    ["create", "--name", "web", "flat"],
  );
  assertEquals([rootfs, layers.total], [ground.rootfs("web"), 1]);
  await ground.assertFiles("web", one);
  const root = datasetOf(ground.store);
  const origins = await properties(root, "origin");
  const flat = `${root}/layers/${diffId.slice("sha256:".length)}`;
  assertEquals(origins.get(flat), "-");
  assertEquals(origins.get(`${root}/containers/web`), `${flat}@layer`);
  // Of the layers that it was made of, only the lowest is.
  await ground.create("other", one);
  const others = [...await properties(`${root}/layers`, "origin")]
    .filter(([name]) => name !== flat && name !== `${root}/layers` && !name.includes("@"));
  assertEquals(others.map(([, origin]) => origin !== "-").sort(), [false, true, true, true]);
});

const isFuse = (await run(["zfs", "version"])).code !== 0;

/** zfs-fuse mounts where its daemon is; the kernel's ZFS where it is called. */
const elsewhere = isFuse ? test : () => {};

/** What is in directories once nothing is mounted there; the mounts themselves stay. */
async function namesBelowMounts(directories: readonly string[]): Promise<string> {
  const look = `for place; do
    while umount "$place" 2>/dev/null; do :; done
    [ ! -e "$place" ] || find "$place" -mindepth 1
  done`;
  const unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", look, "look"];
  return await must([...unshare, ...directories]);
}

elsewhere("nothing is written where a mount is not seen", async (ground, one, two) => {
  await ground.create("here", one);
  const images = [["clone", one], ["layers", two]] as const; // a clone that succeeds; a new layer
  for (const [name, { reference }] of images) {
    const command = ground.argv(["create", "--name", name, reference]);
    const { code, stderr } = await run(
      ["unshare", "--mount", "--propagation", "private", ...command],
    );
    // What is mounted where we are not, we cannot unmount, and so not destroy.
    assert(code === 5 || code === 7, stderr);
    assertMatch(stderr, /not where we can see it|it is in use by/);
    const views = [...Deno.readDirSync(`${ground.store}/views`)]
      .map((view) => `${ground.store}/views/${view.name}`);
    assertEquals(await namesBelowMounts([ground.rootfs(name), ...views]), "");
  }
  assertEquals(ground.containers(), ["here"]);
  // In the namespace of the daemon again, nothing but litter is left of it.
  const { problems } = await ground.fsck();
  assertEquals(problems.filter(({ kind }) => kind !== "litter"), []);
  for (const [name, image] of images) {
    await ground.create(name, image);
    await ground.assertFiles(name, image);
  }
  await ground.json(["gc"]);
  await ground.assertClean();
});

/** Fails unless a command line ends with exit status 6 and says each of `words`. */
async function assertMissing(argv: readonly string[], ...words: string[]): Promise<void> {
  // Anybody can be there; the checkout may be closed to others.
  const { code, stdout, stderr } = await run(argv, { cwd: "/" });
  assertEquals(code, 6, `${argv.join(" ")}: ${stdout}${stderr}`);
  for (const word of words) assertStringIncludes(stderr, word);
}

/** Commands that need ZFS, whatever is in the store. */
const NEEDING = [["ps"], ["layers"], ["df"], ["gc"], ["fsck"], ["rm", "web"], ["mount", "web"]];

test(
  "without the permission to run zfs, the flag is named, and nothing changes",
  async (ground, one) => {
    await ground.create("web", one);
    await ground.json(["unmount", "web"]);
    const before = await ground.inventory();
    const restricted = ground.argv([]).map((word) => word.replace(/(--allow-run=.*),zfs\b/, "$1"));
    assert(restricted.some((word) => word.startsWith("--allow-run=") && !word.includes("zfs")));
    for (const args of [...NEEDING, ["create", "--name", "new", one.reference]]) {
      await assertMissing([...restricted, ...args], "add --allow-run=zfs");
    }
    assertEquals(ground.containers(), ["web"]);
    await ground.json(["gc"]);
    assertEquals(await ground.inventory(), before);
  },
);

test("without zfs, its package is named", async (ground, one) => {
  await ground.create("web", one);
  await ground.json(["unmount", "web"]);
  await using work = await Work.create();
  // All programs but zfs.
  const bin = work.path("bin");
  await Deno.mkdir(bin);
  const needed = ["tar", "xargs", "cp", "cat", "du", "find", "findmnt", "mount", "umount", "sync"];
  for (const program of needed) {
    const found = (await must(["sh", "-c", 'command -v "$1"', "which", program])).trim();
    await Deno.symlink(found, `${bin}/${program}`);
  }
  const [program = "", ...rest] = ground.argv([]);
  for (const args of [...NEEDING, ["create", "--name", "new", one.reference]]) {
    const words = ['Cannot run "zfs"', "apt install zfsutils-linux"];
    await assertMissing(["env", `PATH=${bin}`, program, ...rest, ...args], ...words);
  }
  await ground.json(["mount", "web"]);
  await ground.assertFiles("web", one);
});

test("an ordinary user is told that it takes root", async (ground, one) => {
  await using work = await Work.create();
  const { command, home } = await ordinaryUser(work);
  const dataset = `${POOL}/of-a-user`;
  const options = ["--store", `${home}/store`, "--driver", "zfs", "--dataset", dataset];
  await must(["chmod", "-R", "a+rX", one.reference.slice("oci:".length).replace(/:[^/]*$/, "")]);
  for (const args of [["create", "--name", "web", one.reference], ["mount", one.reference]]) {
    await assertMissing([...command, ...options, ...args], "run as root");
  }
  const { code } = await run(["zfs", "list", dataset]);
  assert(code !== 0);
  // Of root's own store he sees nothing.
  await ground.create("web", one);
  await assertMissing([...command, "--store", ground.store, "ps"], "permission denied");
});
