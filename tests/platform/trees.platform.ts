/** What `layerfs create` makes of a real image is what umoci makes of it, from every source. */

import { assert, assertEquals } from "@std/assert";
import { readTree } from "./compare.ts";
import { assertTree, CACHE, image, Layerfs, must, referenceTree, run, Work } from "./harness.ts";

Deno.test("oci: a real image becomes the tree that umoci unpacks", async () => {
  await using work = await Work.create("disk");
  const layerfs = await Layerfs.inside(work);
  const created = await layerfs.create(["--name", "debian", await image("debian")]);
  assertEquals([created.id, created.driver, created.source], ["debian", "directory", "image"]);
  assertEquals(created.layers, { total: 8, reused: 0, applied: 8 });
  assertEquals(created.warnings, []);
  await assertTree(created.rootfs, await referenceTree());
});

Deno.test("rm leaves nothing of a container", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  await layerfs.create(["--name", "gone", await image("debian")]);
  assert((await layerfs.contents()).length > 20_000);
  await must(layerfs.argv(["rm", "gone"]));
  assertEquals(await layerfs.contents(), []);
});

Deno.test("the native digest engine makes the same tree", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const engine = ["--digest-engine", "native"];
  const created = await layerfs.create([...engine, await image("debian")]);
  await assertTree(created.rootfs, await referenceTree());
});

Deno.test("directories that become files and links: only what they held goes", async () => {
  // umoci's own unpacking follows the new link and deletes elsewhere/file: it is no measure here.
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const created = await layerfs.create([await image("replaced"), "/bin/sh"]);
  await assertTree(created.rootfs, await readTree(`${CACHE}/replaced`));
});

Deno.test("a layer of umoci insert, whose last file is not padded", async () => {
  await using work = await Work.create();
  const layout = work.path("layout");
  await must(["umoci", "init", "--layout", layout]);
  await must(["umoci", "new", "--image", `${layout}:inserted`]);
  await Deno.writeTextFile(work.path("file"), "content");
  const insert = ["umoci", "insert", "--rootless", "--image", `${layout}:inserted`];
  await must([...insert, work.path("file"), "/d/file"]);
  const layerfs = await Layerfs.inside(work);
  const created = await layerfs.create([`oci:${layout}:inserted`, "/d/file"]);
  assertEquals(created.layers.total, 1);
  assertEquals(await Deno.readTextFile(`${created.rootfs}/d/file`), "content");
});

Deno.test("oci-archive: and docker-archive: of skopeo", async (t) => {
  const source = await image("debian");
  const references = ["oci-archive:PATH:debian", "docker-archive:PATH:example.org/debian:test"];
  for (const reference of references) {
    await t.step(reference, async () => {
      await using work = await Work.create();
      const layerfs = await Layerfs.inside(work);
      const archive = reference.replace("PATH", work.path("archive.tar"));
      await must(["skopeo", "--insecure-policy", "copy", "--quiet", source, archive]);
      const created = await layerfs.create([archive]);
      await assertTree(created.rootfs, await referenceTree());
    });
  }
});

Deno.test("layers without compression, and in zstd", async (t) => {
  await using work = await Work.create();
  const copy = (...args: string[]) =>
    must(["skopeo", "--insecure-policy", "copy", "--quiet", ...args]);
  const plain = `dir:${work.path("plain")}`;
  await copy("--dest-decompress", await image("debian"), plain);
  const make: Record<string, (to: string) => Promise<unknown>> = {
    "tar": (to) => copy("--dest-oci-accept-uncompressed-layers", plain, to),
    "tar+zstd": async (to) => {
      // skopeo compresses in zstd only on its way into a directory of its own kind.
      const zstd = `dir:${work.path("zstd")}`;
      await copy("--dest-compress", "--dest-compress-format", "zstd", plain, zstd);
      await copy(zstd, to);
    },
  };
  for (const [type, prepare] of Object.entries(make)) {
    await t.step(type, async () => {
      await using place = await Work.create();
      const layerfs = await Layerfs.inside(place);
      const layout = place.path("layout");
      await prepare(`oci:${layout}:copy`);
      const types = await must([
        "bash",
        "-c",
        `cat ${layout}/blobs/sha256/* | grep -aoE "$1" | uniq`,
        "grep",
        'image.layer.v1.[a-z+]*"',
      ]);
      assertEquals(types.trim(), `image.layer.v1.${type}"`);
      const created = await layerfs.create([`oci:${layout}:copy`]);
      await assertTree(created.rootfs, await referenceTree());
    });
  }
});

Deno.test("--rootfs: a directory is copied, a tar is unpacked", async (t) => {
  await image("debian");
  // A part of the reference tree: the part with everything that is not an ordinary file.
  const source = `${CACHE}/reference/rootfs/srv`;
  const expected = await readTree(source);
  const archive = `tar -C "$1" -c --format=posix --xattrs --xattrs-include='*' --numeric-owner \\
    --pax-option=delete=atime,delete=ctime . | $2 >"$3"`;
  for (const how of ["directory", "cat", "gzip -1", "zstd -q"]) {
    await t.step(how, async () => {
      await using work = await Work.create();
      const layerfs = await Layerfs.inside(work);
      const tar = work.path("rootfs.tar");
      if (how !== "directory") await must(["bash", "-ec", archive, "tar", source, how, tar]);
      const created = await layerfs.create([
        "--rootfs",
        how === "directory" ? source : tar,
        "/bin/sh",
      ]);
      assertEquals(created.source, "rootfs");
      await assertTree(created.rootfs, expected);
    });
  }
});

Deno.test("validate finds no fault in the real image", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const { code, stdout, stderr } = await layerfs.run(["validate", "--json", await image("debian")]);
  assertEquals(code, 0, stdout + stderr);
  assertEquals(JSON.parse(stdout).valid, true);
});

Deno.test("a blob with one changed byte is refused, and nothing is left", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  await image("debian");
  const spoil = `cp -r "$1/image" "$2" && cd "$2/blobs/sha256" && blob=$(ls -S | head -n 1) &&
    printf X | dd of="$blob" bs=1 seek=60000000 conv=notrunc status=none`;
  await must(["bash", "-ec", spoil, "spoil", CACHE, work.path("bad")]);
  const { code, stdout } = await layerfs.run([
    "create",
    "--json",
    `oci:${work.path("bad")}:debian`,
  ]);
  assertEquals(code, 3);
  assertEquals(typeof JSON.parse(stdout).error.code, "string");
  assertEquals(await layerfs.contents(), []);
  assertEquals((await run(layerfs.argv(["ps", "--json"]))).stdout.trim(), "[]");
});
