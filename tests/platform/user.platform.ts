/** An ordinary user: no root, no devices, owners recorded, and a bundle for a user namespace. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { differences, type Entry, readTree, type Tree } from "./compare.ts";
import {
  CACHE,
  image,
  Layerfs,
  layerfsCommand,
  must,
  referenceTree,
  REPOSITORY,
  run,
  Work,
} from "./harness.ts";

/** A user of this test's own, with subordinate ids, and a layerfs that runs as he. */
interface User {
  owner: string;
  layerfs: Layerfs;
  /** A copy of the image that he can read. */
  image: string;
}

async function prepare(work: Work): Promise<User> {
  await image("debian");
  const name = `layerfs-${crypto.randomUUID().slice(0, 8)}`;
  const home = work.path("home");
  await must(["useradd", "--home-dir", home, "--create-home", "--shell", "/bin/sh", name]);
  work.defer(() => must(["userdel", name]));
  // The checkout, Deno, its packages and the image may all lie where only root can read.
  const { denoDir } = JSON.parse(await must([Deno.execPath(), "info", "--json"]));
  const script = `
    cp "$1" "$4/deno" && mkdir "$4/layerfs" "$4/run"
    cd "$2" && cp -r --parents mod.ts deno.json src wasm "$4/layerfs"
    [ ! -e deno.lock ] || cp deno.lock "$4/layerfs"
    mkdir "$4/deno-dir" && cp -r "$6/npm" "$4/deno-dir"
    cp -r "$3/image" "$4/image" && chown -R "$5": "$4"`;
  const places = [Deno.execPath(), REPOSITORY, CACHE, home, name, denoDir];
  await must(["bash", "-ec", script, "copy", ...places]);
  const ids = await must(["sh", "-c", 'id -u "$1"; id -g "$1"', "ids", name]);
  const [uid, gid] = ids.trim().split("\n");
  const drop = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all"];
  const variables = [`HOME=${home}`, `USER=${name}`, `DENO_DIR=${home}/deno-dir`];
  const clean = ["env", "-u", "XDG_DATA_HOME", `XDG_RUNTIME_DIR=${home}/run`, ...variables];
  const command = await layerfsCommand(`${home}/layerfs`, `${home}/deno`);
  const layerfs = new Layerfs([...drop, ...clean, ...command], `${home}/store`);
  return { owner: `${uid}:${gid}`, layerfs, image: `oci:${home}/image:debian` };
}

/** Hexadecimal of the message that rootlesscontainers.org defines: two optional varints. */
function recordOf(owner: string): string {
  let hex = "";
  owner.split(":").map(BigInt).forEach((id, index) => {
    if (id === 0n) return;
    hex += index === 0 ? "08" : "10";
    for (; id >= 0x80n; id >>= 7n) hex += Number(id & 0x7fn | 0x80n).toString(16);
    hex += id.toString(16).padStart(2, "0");
  });
  return hex;
}

/** What a user can have of an entry that root has; undefined where it is a device. */
function asUser(entry: Entry, owner: string): Entry | undefined {
  if (entry.type === "c" || entry.type === "b") return undefined;
  const lines = entry.xattrs.split("\n").filter((line) => line.startsWith("user."));
  if ((entry.type === "f" || entry.type === "d") && entry.owner !== "0:0") {
    lines.push(`user.rootlesscontainers=0x${recordOf(entry.owner)}`);
  }
  return { ...entry, owner, xattrs: lines.sort().join("\n") };
}

Deno.test("an ordinary user gets the tree without devices, with the owners recorded", async () => {
  await using work = await Work.create("disk");
  const user = await prepare(work);
  const created = await user.layerfs.create([user.image]);
  assertStringIncludes(created.warnings.join("\n"), "device");
  const expected: Tree = new Map();
  for (const [path, entry] of await referenceTree()) {
    const kept = asUser(entry, user.owner);
    if (kept !== undefined) expected.set(path, kept);
  }
  const lines = differences(await readTree(created.rootfs), expected);
  assertEquals(lines.slice(0, 40), []);
  await must(user.layerfs.argv(["rm", created.id]));
  assertEquals(await user.layerfs.contents(), []);
});

Deno.test("an ordinary user's bundle runs in a user namespace, as its root", async () => {
  await using work = await Work.create();
  const user = await prepare(work);
  const command = "id -u; wc -l </proc/self/uid_map; head -n 1 /etc/os-release; node -p 6*7";
  const { code, stdout, stderr } = await run(
    user.layerfs.argv(["run", "--rm", "--runtime", "runc", user.image, "-c", command]),
  );
  assertEquals(code, 0, stderr);
  const [uid, maps, release, node] = stdout.trim().split("\n");
  assertEquals([uid, node], ["0", "42"]);
  assert(Number(maps) >= 1);
  assertStringIncludes(release ?? "", "bookworm");
});
