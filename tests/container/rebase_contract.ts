/**
 * What rebase does, with any driver.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { diffContainer } from "../../src/container/diff.ts";
import { mount } from "../../src/container/mount.ts";
import { removeContainers } from "../../src/container/remove.ts";
import { LayerfsError } from "../../src/errors.ts";
import { end, kill } from "../fixtures/child.ts";
import { IS_ROOT, output } from "../fixtures/tree.ts";
import { bash } from "../store/contract_compare.ts";
import { isThinned } from "../store/contract_ground.ts";
import { randomNumbers, randomScript } from "../store/random_changes.ts";
import { RebaseGround, type RebaseStore, refusal } from "./rebase_ground.ts";
import { table } from "./rebase_table.ts";

/** Random trees. */
const TREES = isThinned() ? 1 : 4;

/** Milliseconds between the moments at which a rebase is killed. */
const KILL_STEP = isThinned() ? 450 : 90;

/** Onto the very same image, nothing changes, nor does what is known of the changes. */
async function identity(ground: RebaseGround): Promise<void> {
  const first = crypto.getRandomValues(new Uint32Array(1))[0]!;
  for (let seed = first; seed < first + TREES; seed++) {
    const random = randomNumbers(seed);
    const image = await ground.image(await ground.tree(randomScript(random, 60, IS_ROOT)));
    const { rootfs } = await ground.create(image, "web");
    const script = randomScript(random, 25, IS_ROOT);
    await bash(rootfs, script);
    const expected = await ground.read(rootfs);
    const changes = await diffContainer(ground.work, "web");
    await ground.rebase("web", image);
    assertEquals(await ground.differences(rootfs, expected), [], `seed ${seed}:\n${script}`);
    assertEquals(await diffContainer(ground.work, "web"), changes, `seed ${seed}`);
    await removeContainers(ground.work, ["web"], false);
  }
}

/** What is changed in one directory here and in another there gives both, entry for entry. */
async function union(ground: RebaseGround): Promise<void> {
  const first = crypto.getRandomValues(new Uint32Array(1))[0]!;
  for (let seed = first; seed < first + TREES; seed++) {
    const random = randomNumbers(seed);
    const inside = (name: string, count: number) =>
      `cd ${name}\n${randomScript(random, count, IS_ROOT)}\ncd ..\n`;
    const make = `mkdir ours theirs\n${inside("ours", 40)}${inside("theirs", 40)}`;
    const base = await ground.tree(make);
    const [ours, theirs] = [inside("ours", 25), inside("theirs", 25)];
    const other = await ground.tree(theirs, base);
    const { rootfs } = await ground.create(await ground.image(base), "web");
    await bash(rootfs, ours);
    const target = await ground.image(other);
    const { rootfs: there } = await ground.create(target, "other");
    const isTheirs = (path: string) => /^theirs(\/|$)/.test(path);
    const expected = new Map([
      ...[...await ground.read(rootfs)].filter(([path]) => !isTheirs(path)),
      ...[...await ground.read(there)].filter(([path]) => isTheirs(path)),
    ]);
    await ground.rebase("web", target);
    const found = await ground.differences(rootfs, expected);
    assertEquals(found, [], `seed ${seed}:\nOURS ${ours}\nTHEIRS ${theirs}`);
    await removeContainers(ground.work, ["web", "other"], false);
  }
}

/** Configuration, volumes, bundle, record. */
async function settings(ground: RebaseGround): Promise<void> {
  const tree = await ground.tree("mkdir data old; echo 1 > data/f; echo > old/f");
  const volumes = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, {}]));
  const image = await ground.image(tree, {
    run: { Env: ["A=1", "B=1"], Volumes: volumes("/old", "/data"), Labels: { v: "1" } },
  });
  const other = await ground.image(await ground.tree("mkdir more; echo 2 > data/f", tree), {
    run: {
      Env: ["A=2", "B=2"],
      Cmd: ["new"],
      WorkingDir: "/more",
      Volumes: volumes("/data", "/more"),
      Labels: { v: "2" },
    },
  });
  const bundle = `${ground.path}/bundle`;
  const made = await ground.create(image, "web", { overrides: { env: ["A=own"] }, bundle });
  const read = async () => JSON.parse(await Deno.readTextFile(`${made.bundle}/config.json`));
  const volumeOf = async (path: string) => {
    const mounts: { source: string; destination: string }[] = (await read()).mounts;
    return mounts.find(({ destination }) => destination === path)?.source;
  };
  const data = await volumeOf("/data");
  await Deno.writeTextFile(`${made.bundle}/${data}/f`, "mine");
  const { warnings, image: record } = await ground.rebase("web", other);
  // What create says of an ordinary user's ids, rebase says again.
  const fresh = warnings.filter((warning) => !made.warnings.includes(warning));
  assertEquals([record.reference, warnings.length], [other, made.warnings.length + 1]);
  assertStringIncludes(fresh[0]!, 'no volume "/old"');
  const config = await read();
  assertEquals(config.process.args, ["new"]);
  assertEquals(config.process.cwd, "/more");
  assert(config.process.env.includes("A=own") && config.process.env.includes("B=2"));
  assertEquals(config.annotations.v, "2");
  assertEquals(await volumeOf("/data"), data);
  assertEquals(await Deno.readTextFile(`${made.bundle}/${data}/f`), "mine");
  assertEquals(await Deno.readTextFile(`${made.rootfs}/data/f`), "2\n");
  const more = await volumeOf("/more");
  assert((await Deno.stat(`${made.bundle}/${more}`)).isDirectory);
  assertEquals((await Deno.lstat(`${made.bundle}/volumes`)).isDirectory, true);
  assertEquals([...Deno.readDirSync(`${made.bundle}/volumes`)].length, 3);
  assertEquals([...Deno.readDirSync(made.bundle)].filter(({ name }) => name.startsWith(".")), []);
  // Once more, with a config.json that somebody has written to.
  await Deno.writeTextFile(`${made.bundle}/config.json`, JSON.stringify(await read()));
  const again = await ground.rebase("web", image);
  assertStringIncludes(again.warnings[0]!, "config.json stays as it is");
  assertEquals((await read()).process.args, ["new"]);
  assertEquals(await diffContainer(ground.work, "web"), []);
  await removeContainers(ground.work, ["web"], false);
  await ground.assertClean();
}

/** A container that a process is in is left alone. */
async function busy(ground: RebaseGround): Promise<void> {
  const image = await ground.image(await ground.tree("echo > f"));
  const other = await ground.image(await ground.tree("echo 2 > f"));
  const { rootfs } = await ground.create(image, "web");
  const child = new Deno.Command("bash", { args: ["-c", "sleep 60"], cwd: rootfs }).spawn();
  try {
    const error = await refusal(() => ground.rebase("web", other));
    assertEquals(error.code, "busy");
    assertStringIncludes(error.message, `(${child.pid})`);
  } finally {
    await end(child);
  }
  assertEquals(await Deno.readTextFile(`${rootfs}/f`), "\n");
  assertEquals((await refusal(() => ground.rebase("none", other))).code, "not-found");
  assertEquals((await refusal(() => ground.rebase("web", "oci:/nowhere"))).code, "not-found");
  await ground.assertClean();
}

/** One waits for the other; the last one wins, on top of what the first one has made. */
async function crowd(ground: RebaseGround): Promise<void> {
  const base = await ground.tree("echo > f; echo > g");
  const image = await ground.image(base);
  const others = await Promise.all(
    ["2", "3", "4"].map(async (n) => ground.image(await ground.tree(`echo ${n} > f`, base))),
  );
  const { rootfs } = await ground.create(image, "web");
  await bash(rootfs, "echo mine > own; rm g");
  const done = await Promise.allSettled(others.map((other) => ground.rebase("web", other)));
  assertEquals(done.map(({ status }) => status), ["fulfilled", "fulfilled", "fulfilled"]);
  assert(/^[234]\n$/.test(await Deno.readTextFile(`${rootfs}/f`)));
  const rows = (await diffContainer(ground.work, "web")).map(({ kind, path }) => kind + path);
  assertEquals(rows.filter((row) => row !== "M/"), ["D/g", "A/own"]);
  await ground.assertClean();
}

/** Killed at any moment, the container is the old one or the new one. */
async function kills(ground: RebaseGround): Promise<void> {
  const script = "mkdir d; for i in 1 2 3 4 5 6; do head -c 900000 /dev/urandom > d/f$i; done";
  const base = await ground.tree(script);
  const images = [
    await ground.image(base),
    await ground.image(await ground.tree("echo 1 > v; rm d/f1", base)),
  ];
  const { rootfs } = await ground.create(images[0]!, "web");
  await bash(rootfs, "head -c 3000000 /dev/urandom > own; rm d/f6; touch -d @1000000000 .");
  const own = await bash(rootfs, "sha256sum own");
  const outcomes = new Set<string>();
  let target = 1;
  for (let delay = 250; delay < 2600; delay += KILL_STEP) {
    const child = ground.start("web", images[target]!);
    const timer = setTimeout(() => kill(child), delay);
    const { success } = await child.status;
    clearTimeout(timer);
    await ground.assertClean(["litter"]);
    await mount(ground.work, "web"); // the next command
    await ground.assertClean(["litter"]); // of a layer in the making, with zfs
    assertEquals(await bash(rootfs, "sha256sum own; test ! -e d/f6; test -e d/f2"), own);
    const version = await bash(rootfs, "test -e v && test ! -e d/f1 && echo 1 || echo 0");
    const isNew = Number(version) === target;
    const rows = await diffContainer(ground.work, "web");
    const found = rows.map(({ kind, path }) => kind + path).filter((row) => row !== "M/d");
    assertEquals(found, ["M/", "D/d/f6", "A/own"]);
    assert(isNew || !success);
    outcomes.add(`${success} ${isNew}`);
    if (isNew) target = 1 - target;
  }
  assert(outcomes.has("false false"), [...outcomes].join());
}

/** Fails at the `count`th rename of what a replacement's bundle has, as a kill there would. */
function failAt(count: number): Disposable {
  const { renameSync } = Deno;
  let left = count;
  const failing: typeof renameSync = (from, to) => {
    if (`${from}`.includes("/.layerfs-") || `${to}`.includes("/.layerfs-")) left--;
    if (left === 0) throw Object.assign(new Error("a test's own"), { code: "EIO" });
    return renameSync(from, to);
  };
  Object.assign(Deno, { renameSync: failing });
  return { [Symbol.dispose]: () => void Object.assign(Deno, { renameSync }) };
}

/** Ended between any two of its last steps, a rebase is not done before the first, and done after. */
async function steps(ground: RebaseGround): Promise<void> {
  const base = await ground.tree("mkdir a b; echo > a/f; echo > f");
  const image = await ground.image(base, { run: { Env: ["V=0"], Volumes: { "/a": {} } } });
  const target = await ground.image(await ground.tree("echo 1 > v", base), {
    run: { Env: ["V=1"], Volumes: { "/a": {}, "/b": {} } },
  });
  let errors = 0;
  for (let isDone = false; !isDone;) {
    const { rootfs, bundle } = await ground.create(image, "web");
    await bash(rootfs, "echo mine > own; rm f; touch -d @1000000000 .");
    await Deno.writeTextFile(`${bundle}/volumes/0/f`, "mine");
    {
      using _failure = failAt(errors + 1);
      isDone = await ground.rebase("web", target).then(() => true, (error) => {
        assert(error instanceof LayerfsError && error.code === "storage", String(error));
        return false;
      });
    }
    const isNew = isDone || errors > 0;
    await ground.assertClean(["litter"]);
    await sweptMount(ground);
    await ground.assertClean();
    const config = JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
    assert(config.process.env.includes(`V=${isNew ? 1 : 0}`), `${errors}`);
    const record = JSON.parse(await Deno.readTextFile(`${bundle}/layerfs.json`));
    assertEquals([record.image.reference, record.pending], [isNew ? target : image, undefined]);
    const names = [...Deno.readDirSync(rootfs)].map(({ name }) => name).sort();
    assertEquals(names, isNew ? ["a", "b", "own", "v"] : ["a", "b", "own"]);
    const volumes = [...Deno.readDirSync(`${bundle}/volumes`)].map(({ name }) => name).sort();
    assertEquals(volumes, isNew ? ["0", "1"] : ["0"]);
    assertEquals(await Deno.readTextFile(`${bundle}/volumes/0/f`), "mine");
    const rows = (await diffContainer(ground.work, "web")).map(({ kind, path }) => kind + path);
    assertEquals(rows, ["M/", "D/f", "A/own"]);
    const litter = [...Deno.readDirSync(bundle)].filter(({ name }) => name.startsWith("."));
    assertEquals(litter, []);
    await removeContainers(ground.work, ["web"], false);
    if (!isDone) errors++;
  }
  // The record, what makes way, what takes its place, a volume, config.json, the record once more.
  assertEquals(errors, ground.options.driver === "zfs" ? 4 : 6);
}

/**
 * The next command, which sweeps what has failed. A program that another thread of the tests starts
 * holds every open lock from its fork to its exec; then the command says "try again".
 */
async function sweptMount(ground: RebaseGround): Promise<void> {
  for (let tries = 5;; tries--) {
    try {
      return void await mount(ground.work, "web");
    } catch (error) {
      const isEarly = error instanceof LayerfsError && error.code === "conflict" &&
        error.message.includes("its rebase is not done yet; try again");
      if (!isEarly || tries === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Where the new one finds no room, the old one is as it was. */
async function full(ground: RebaseGround): Promise<void> {
  const image = await ground.image(await ground.tree("echo > f"));
  const other = await ground.image(await ground.tree("echo 2 > f"));
  const { rootfs } = await ground.create(image, "web");
  await bash(rootfs, "head -c 9000000 /dev/urandom > own");
  const before = await ground.read(rootfs);
  await bash(ground.path, "head -c 100000000 /dev/urandom > filler 2> /dev/null || true");
  await bash(ground.path, "truncate -s -6000000 filler; sync -f .");
  const error = await refusal(() => ground.rebase("web", other));
  assertEquals(error.code, "storage-full", error.message);
  assertEquals(await ground.differences(rootfs, before), []);
  assertEquals([...Deno.readDirSync(`${ground.work.store}/staging`)], []);
  await ground.assertClean();
  await Deno.remove(`${ground.path}/filler`);
  assertEquals((await ground.rebase("web", other)).applied, 2);
}

const TESTS = { table, identity, union, settings, busy, crowd, steps, kills };

/** Registers the tests, each with a store of its own. */
export function rebaseTests(name: string, open: () => Promise<RebaseStore>): void {
  // Where the store is a directory, it can be put on a filesystem of 40 MB.
  Deno.test({
    name: `${name}: rebase: a full disk`,
    ignore: name === "zfs" || !IS_ROOT,
    fn: async () => {
      const dir = await Deno.makeTempDir({ prefix: "layerfs-rebase-full-" });
      await output("mount", ["-t", "tmpfs", "-o", "size=40m", "layerfs-test", dir]);
      try {
        await using ground = new RebaseGround({ ...await open(), dir });
        await full(ground);
      } finally {
        await output("umount", [dir]);
        await Deno.remove(dir);
      }
    },
  });
  for (const [what, test] of Object.entries(TESTS)) {
    Deno.test(`${name}: rebase: ${what}`, async () => {
      await using ground = new RebaseGround(await open());
      await test(ground);
    });
  }
}
