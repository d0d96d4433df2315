/** An ordinary user: no root, no devices, owners recorded, and a bundle for a user namespace. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { differences, type Entry, readTree, type Tree } from "./compare.ts";
import { CACHE, image, Layerfs, must, referenceTree, run, Work } from "./harness.ts";
import { ordinaryUser } from "./ordinary_user.ts";

/** A user of this test's own, with subordinate ids, and a layerfs that runs as he. */
interface User {
  owner: string;
  layerfs: Layerfs;
  /** A copy of the image that he can read. */
  image: string;
}

async function prepare(work: Work): Promise<User> {
  await image("debian");
  const { owner, home, command } = await ordinaryUser(work);
  // The cache may lie where only root can read.
  await must(["cp", "-r", `${CACHE}/image`, `${home}/image`]);
  await must(["chown", "-R", owner, `${home}/image`]);
  const layerfs = new Layerfs(command, `${home}/store`);
  return { owner, layerfs, image: `oci:${home}/image:debian` };
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
