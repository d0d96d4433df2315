/** The comparer itself: equal trees of two foreign tools, and every kind of difference. */

import { assert, assertEquals } from "@std/assert";
import { differences, type Field, readTree } from "./compare.ts";
import { CACHE, image, must, referenceTree, Work } from "./harness.ts";

Deno.test("umoci and GNU tar agree on the layer that holds everything", async () => {
  await image("debian");
  await using work = await Work.create();
  // Layer 4 is the only one that is a tar of pax headers: the one with the extended attributes.
  const script = `
    for blob in "$1"/image/blobs/sha256/*; do
      gzip -dc "$blob" 2>/dev/null | head -c 1M | grep -aq SCHILY.xattr || continue
      gzip -dc "$blob" | tar -x --directory="$2" --numeric-owner --same-permissions \\
        --xattrs --xattrs-include='*' && exit 0
    done
    exit 1`;
  await must(["bash", "-c", script, "extract", CACHE, work.directory]);
  const ours = await readTree(work.path("srv/odd"));
  const umoci = await readTree(`${CACHE}/reference/rootfs/srv/odd`);
  assert(umoci.size > 25);
  assertEquals(differences(ours, umoci), []);
});

Deno.test("the reference tree has what the comparison is about", async () => {
  const tree = [...(await referenceTree()).values()];
  assert(tree.length > 20_000);
  const kinds: [string, (entry: typeof tree[number]) => boolean][] = [
    ["xattrs of files", (e) => e.type === "f" && e.xattrs.includes("user.")],
    ["capabilities", (e) => e.xattrs.includes("security.capability")],
    ["xattrs of directories", (e) => e.type === "d" && e.xattrs !== ""],
    ["character devices", (e) => e.type === "c" && e.device !== ""],
    ["block devices", (e) => e.type === "b" && e.device !== ""],
    ["FIFOs", (e) => e.type === "p"],
    ["setuid files", (e) => e.mode.startsWith("6")],
    ["large owners", (e) => e.owner === "3000000000:2999999999"],
    ["nanoseconds", (e) => e.mtime.includes(".0000000010")],
    ["times before 1970", (e) => e.mtime.startsWith("-")],
  ];
  for (const [name, has] of kinds) assert(tree.some(has), name);
});

Deno.test("every kind of difference is seen", async () => {
  await using work = await Work.create();
  const make = `
    mkdir -p "$1/d" && cd "$1" && echo one >f && ln f g && echo one >h && ln -s f l && mknod c c 1 3
    touch -h -d @1000000000.5 f l h c d .`;
  const changes: [string, string, Field[]][] = [
    ["rm c && mkfifo c && touch -d @1000000000.5 c", "c", ["type", "device"]],
    ["chmod 600 h", "h", ["mode"]],
    ["chown 5 h", "h", ["owner"]],
    ["chown -h :5 l", "l", ["owner"]],
    ["echo two >h && touch -d @1000000000.5 h", "h", ["content"]],
    ["echo longer >h && touch -d @1000000000.5 h", "h", ["size", "content"]],
    ["touch -d @1000000000.500000001 h", "h", ["mtime"]],
    ["touch -h -d @1000000000.500000001 l", "l", ["mtime"]],
    ["touch -d @1000000000.500000001 d", "d", ["mtime"]],
    ["ln -sf g l && touch -h -d @1000000000.5 l", "l", ["target"]],
    ["rm g && cp -p f g", "g", ["links"]],
    ["rm c && mknod c c 1 5 && touch -d @1000000000.5 c", "c", ["device"]],
    ["setfattr -n user.a -v 1 h", "h", ["xattrs"]],
    ["setfattr -n trusted.a -v 1 d", "d", ["xattrs"]],
  ];
  await must(["bash", "-ec", make, "make", work.path("a")]);
  const before = await readTree(work.path("a"));
  for (const [change, path, fields] of changes) {
    const copy = work.path("b");
    const script = `cp -a "$1" "$2" && cd "$2" && ${change} && touch -d @1000000000.5 .`;
    await must(["bash", "-ec", script, "change", work.path("a"), copy]);
    const lines = differences(await readTree(copy), before);
    const seen = lines.map((line) => line.split(" is ")[0]);
    assertEquals(seen, fields.map((field) => `"${path}": ${field}`), change);
    await must(["rm", "-r", copy]);
  }
});

Deno.test("missing and unexpected names are seen, whatever their bytes", async () => {
  await using work = await Work.create();
  const make = `mkdir "$1" "$2" && touch "$1"/$'caf\\xe9' "$2"/$'new\\nline' && touch -r "$1" "$2"`;
  await must(["bash", "-ec", make, "make", work.path("a"), work.path("b")]);
  const lines = differences(await readTree(work.path("a")), await readTree(work.path("b")));
  assertEquals(lines, ['"caf\u00e9": unexpected, type f', '"new\\nline": missing, type f']);
});
