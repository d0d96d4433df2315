/** The images of a store, as skopeo and umoci see them: both read it, and skopeo writes there too. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { parsePlatform } from "../../src/oci/platform.ts";
import { resolveImage } from "../../src/source/image.ts";
import { ImageStore } from "../../src/store/images.ts";
import { pullImage } from "../../src/transfer/pull.ts";
import { assertTree, CACHE, image, must, referenceTree, REPOSITORY, run, Work } from "./harness.ts";

const AMD64 = parsePlatform("linux/amd64");

const pull = (store: ImageStore, reference: string, as?: string) =>
  pullImage(store, { reference, platform: AMD64, engine: "native", ...(as ? { as } : {}) });

const skopeo = (...args: string[]) =>
  must(["skopeo", "--insecure-policy", "--override-arch=amd64", "--override-os=linux", ...args]);

/** Unpacks an image of a store by umoci and compares it with umoci's own unpacking of its origin. */
async function judge(work: Work, store: ImageStore, tag: string): Promise<void> {
  const bundle = work.path(`bundle-${crypto.randomUUID()}`);
  await must(["umoci", "unpack", "--image", `${store.path}:${tag}`, bundle]);
  await assertTree(`${bundle}/rootfs`, await referenceTree());
  await must(["rm", "-rf", bundle]);
}

Deno.test("skopeo and umoci read a store, and find in it what was pulled", async () => {
  await using work = await Work.create("disk");
  const store = new ImageStore(work.path("store"));
  const source = await image("debian");
  const pulled = await pull(store, source, "example.org/base/debian:12");
  const wanted = JSON.parse(await skopeo("inspect", source));
  const reference = `oci:${store.path}:example.org/base/debian:12`;
  const found = JSON.parse(await skopeo("inspect", reference));
  assertEquals(found, wanted);
  assertEquals(pulled.digest, found.Digest);
  assertEquals(pulled.layers, found.Layers.length);

  await skopeo("copy", "--quiet", reference, `dir:${work.path("dir")}`);
  const { path } = store.blobs.locate(pulled.digest)!;
  await must(["cmp", path, work.path("dir/manifest.json")]);
  await judge(work, store, "example.org/base/debian:12");

  const second = await store.tag(store.find("example.org/base/debian:12")[0]!, "debian");
  assertEquals(second, "debian:latest");
  assertStringIncludes(await must(["umoci", "ls", "--layout", store.path]), "debian:latest");
  assertEquals(JSON.parse(await skopeo("inspect", `oci:${store.path}:debian:latest`)), wanted);
});

Deno.test("archives of skopeo are pulled, and unpack to the same tree", async (t) => {
  await using work = await Work.create("disk");
  const store = new ImageStore(work.path("store"));
  const source = await image("debian");
  const { configDigest } = await resolveImage(source, AMD64);
  for (
    const [reference, tag] of [
      ["oci-archive:PATH:debian", "debian:latest"],
      ["docker-archive:PATH:example.org/debian:test", "example.org/debian:test"],
    ] as const
  ) {
    await t.step(reference, async () => {
      const archive = reference.replace("PATH", work.path(`${reference.split(":")[0]}.tar`));
      await skopeo("copy", "--quiet", source, archive);
      const pulled = await pull(store, archive);
      assertEquals(`${pulled.name}:${pulled.tag}`, tag);
      if (tag === "debian:latest") assertEquals(pulled.configDigest, configDigest);
      await judge(work, store, tag);
      const inspected = JSON.parse(await skopeo("inspect", `oci:${store.path}:${tag}`));
      assertEquals(inspected.Digest, pulled.digest);
    });
  }
  assertEquals((await store.roots()).problems, []);
});

Deno.test("what skopeo copies into a store is an image of it, and survives ours", async () => {
  await using work = await Work.create("disk");
  const store = new ImageStore(work.path("store"));
  await store.initialize();
  await skopeo("copy", "--quiet", await image("base"), `oci:${store.path}:base`);
  const { digest } = await resolveImage("docker.io/library/base", AMD64, { store: store.path });
  const pulled = await pull(store, await image("debian"), "debian");
  const { images, problems } = await store.list();
  assertEquals(problems, []);
  const listed = images.map(({ name, tag, digest }) => [name, tag, digest]);
  assertEquals(listed, [["base", "latest", digest], ["debian", "latest", pulled.digest]]);
  // And ours survives a copy of skopeo's, which writes index.json anew.
  await skopeo("copy", "--quiet", await image("base"), `oci:${store.path}:other:1`);
  assertEquals((await store.list()).images.length, 3);
  const blobs = store.blobs.list().map(({ digest }) => digest);
  const roots = await store.roots();
  assertEquals([roots.problems, roots.complete], [[], true]);
  assertEquals(blobs.filter((blob) => !roots.blobs.has(blob)), []);
  await store.untag("base");
  assertEquals((await run(["skopeo", "inspect", `oci:${store.path}:base`])).code, 1);
  const kept = JSON.parse(await skopeo("inspect", `oci:${store.path}:debian:latest`));
  assertEquals(kept.Digest, pulled.digest);
});

Deno.test("a squashed image is one layer that umoci unpacks to the tree it was made of", async () => {
  await using work = await Work.create("disk");
  const store = new ImageStore(work.path("store"));
  // In a process of its own, since this one may not start tar.
  const script = work.path("squash.ts");
  await Deno.writeTextFile(
    script,
    `import { resolveImage } from "${REPOSITORY}/src/source/image.ts";
     import { ImageStore } from "${REPOSITORY}/src/store/images.ts";
     import { squashImage } from "${REPOSITORY}/src/store/squash.ts";
     const [store, reference, root] = Deno.args;
     const image = await resolveImage(reference, { os: "linux", architecture: "amd64" });
     const how = { image, root, name: "flat", engine: "native", level: 1 };
     console.log(JSON.stringify(await squashImage(new ImageStore(store), how)));`,
  );
  await referenceTree();
  const deno = [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-read", "--allow-write"];
  const flags = [`--config=${REPOSITORY}/deno.json`, "--allow-run=tar", "--allow-sys=uid", script];
  const args = [store.path, await image("debian"), `${CACHE}/reference/rootfs`];
  const flat = JSON.parse(await must([...deno, ...flags, ...args]));
  assertEquals([flat.name, flat.layers, flat.warnings], ["flat", 1, []]);
  await judge(work, store, "flat:latest");
  const inspected = JSON.parse(await skopeo("inspect", `oci:${store.path}:flat:latest`));
  assertEquals([inspected.Digest, inspected.Layers.length], [flat.digest, 1]);
});
