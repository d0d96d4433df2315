import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chainIds } from "../../src/core/chain_id.ts";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { OCI_INDEX } from "../../src/oci/media_type.ts";
import { ImageStore } from "../../src/store/images.ts";
import { blobPath } from "../fixtures/image.ts";
import { refuses, withDirectory } from "../source/scratch.ts";
import {
  addImage,
  addIndex,
  AMD64,
  ARM64,
  listed,
  readIndex,
  tagsIn,
  withStore,
  writeIndex,
} from "./image_fixture.ts";

Deno.test("a new store is an empty layout, and a second initialize changes nothing", async () => {
  await withStore(async (store, dir) => {
    assertEquals(JSON.parse(Deno.readTextFileSync(`${dir}/oci-layout`)), {
      imageLayoutVersion: "1.0.0",
    });
    assertEquals(readIndex(dir), { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    assertEquals(await store.list(), { images: [], problems: [] });
    assertEquals((await store.roots()).blobs.size, 0);
    const { entry } = addImage(dir, "a");
    await store.tag(entry, "alpine");
    await store.initialize();
    assertEquals(tagsIn(dir), ["alpine:latest"]);
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assertEquals(names, ["blobs", "index.json", "index.lock", "oci-layout", "staging"]);
  });
});

Deno.test("a store that is not there yet has no images", async () => {
  await withDirectory(async (dir) => {
    const store = new ImageStore(dir);
    assertEquals(await store.list(), { images: [], problems: [] });
    assertEquals(store.find("alpine"), []);
    const { blobs, complete } = await store.roots();
    assertEquals([blobs.size, complete], [0, true]);
  });
});

Deno.test("list tells all of an image", async () => {
  await withStore(async (store, dir) => {
    const image = addImage(dir, "a");
    assertEquals(await store.tag(image.entry, "docker.io/library/alpine"), "alpine:latest");
    const { images, problems } = await store.list();
    assertEquals(problems, []);
    const diffIds = image.diffIds as Digest[];
    const chain = chainIds(diffIds);
    const sizes = [image.manifestDigest, image.configDigest, ...image.layerDigests]
      .map((digest) => Deno.statSync(blobPath(dir, digest)).size);
    assertEquals(
      images.map(({ layers, descriptor, ...rest }) => ({
        ...rest,
        descriptor: descriptor.size,
        layers: layers.map(({ descriptor: { digest }, ...ids }) => ({ digest, ...ids })),
      })),
      [{
        name: "alpine",
        tag: "latest",
        digest: parseDigest(image.manifestDigest),
        descriptor: sizes[0]!,
        configDigest: parseDigest(image.configDigest),
        created: "2024-05-06T07:08:09Z",
        platform: AMD64,
        layers: image.layerDigests.map((digest, i) => ({
          digest: parseDigest(digest),
          diffId: diffIds[i]!,
          chainId: chain[i]!,
        })),
        bytes: sizes.reduce((sum, size) => sum + size, 0),
      }],
    );
  });
});

Deno.test("a tag moves to another image of its platform, and stays for other platforms", async () => {
  await withStore(async (store, dir) => {
    const [a, b, arm] = [addImage(dir, "a"), addImage(dir, "b"), addImage(dir, "c", ARM64)];
    await store.tag(a.entry, "app");
    await store.tag(arm.entry, "app:latest");
    await store.tag(b.entry, "other");
    assertEquals(await listed(store), [
      `app:latest ${a.manifestDigest}`,
      `app:latest ${arm.manifestDigest}`,
      `other:latest ${b.manifestDigest}`,
    ]);
    await store.tag(b.entry, "docker.io/library/app");
    assertEquals(await listed(store), [
      `app:latest ${b.manifestDigest}`,
      `app:latest ${arm.manifestDigest}`,
      `other:latest ${b.manifestDigest}`,
    ]);
    // Without a platform it stands for every one.
    const { platform: _platform, ...plain } = a.entry;
    await store.tag(plain, "app");
    assertEquals(await listed(store), [
      `app:latest ${a.manifestDigest}`,
      `other:latest ${b.manifestDigest}`,
    ]);
    assertEquals(store.find("app").map(({ digest }) => digest), [a.entry.digest]);
    assertEquals(store.find(`x@${a.manifestDigest}`).length, 1);
    assertEquals((await store.untag("index.docker.io/app")).length, 1);
    assertEquals(await listed(store), [`other:latest ${b.manifestDigest}`]);
    await refuses(() => store.untag("app"), "not-found", '"app:latest"', '"other:latest"');
  });
});

Deno.test("wrong names and absent blobs get no tag", async () => {
  await withStore(async (store, dir) => {
    const { entry, manifestDigest } = addImage(dir, "a");
    await refuses(() => store.tag(entry, "Upper"), "usage", "is no image name");
    await refuses(() => store.tag(entry, `a@${manifestDigest}`), "usage", "it has a digest");
    await refuses(() => store.untag(`a@${manifestDigest}`), "usage", "it has a digest");
    await refuses(() => store.tag({ ...entry, size: 1 }, "a"), "image-invalid", "no such blob");
    Deno.removeSync(blobPath(dir, manifestDigest));
    await refuses(() => store.tag(entry, "a"), "image-invalid", "no such blob");
    assertEquals(tagsIn(dir), []);
  });
});

Deno.test("what other programs wrote into index.json stays as it was", async () => {
  await withStore(async (store, dir) => {
    const { entry } = addImage(dir, "a");
    const foreign = [
      { ...entry, "x-vendor": { deep: [1, null] }, annotations: { [REF_NAME]: "Foreign Tag" } },
      { ...entry, platform: { os: "linux", architecture: "amd64", "os.features": ["x"] } },
      { mediaType: "application/vnd.example+json", digest: `blake3:${"0".repeat(64)}`, size: 7 },
      { digest: 7, note: "no descriptor at all" },
    ];
    const index = {
      "x-first": true,
      schemaVersion: 2,
      manifests: foreign,
      annotations: { k: "v" },
      "x-last": { a: 1 },
    };
    writeIndex(dir, index);
    const before = Deno.readTextFileSync(`${dir}/index.json`);
    await store.tag(entry, "mine");
    const { manifests } = readIndex(dir);
    assertEquals(manifests.length, 5);
    assertEquals(manifests[4].annotations[REF_NAME], "mine:latest");
    await store.untag("mine");
    assertEquals(Deno.readTextFileSync(`${dir}/index.json`), before);
    const { images, problems } = await store.list();
    assertEquals(images.map(({ name, tag }) => [name, tag]), [["Foreign Tag", ""]]);
    assertEquals(problems.map(({ tag, digest }) => [tag, digest]), [[null, null]]);
    assertStringIncludes(problems[0]!.detail, "manifests[3]");
  });
});

Deno.test("roots are all that index.json leads to, through indexes and without tags", async () => {
  await withStore(async (store, dir) => {
    const [a, b, c, unused] = ["a", "b", "c", "d"].map((id) => addImage(dir, id));
    const inner = addIndex(dir, [a!.entry]);
    const outer = addIndex(dir, [inner, { ...b!.entry, platform: ARM64 }]);
    await store.tag(outer, "many");
    const index = readIndex(dir);
    index.manifests.push(c!.entry);
    writeIndex(dir, index);
    const { blobs, chainIds: chains, problems, complete } = await store.roots();
    assertEquals([problems, complete], [[], true]);
    const expected = [a!, b!, c!].flatMap((image) => [
      image.manifestDigest,
      image.configDigest,
      ...image.layerDigests,
    ]);
    assertEquals(blobs, new Set([...expected, inner.digest, outer.digest]) as Set<Digest>);
    assert(!blobs.has(parseDigest(unused!.manifestDigest)));
    const stacks = [a!, b!, c!].flatMap(({ diffIds }) => chainIds(diffIds as Digest[]));
    assertEquals(chains, new Set(stacks));
    assertEquals((await listed(store)).length, 2);
    assertEquals(store.blobs.list().filter(({ digest }) => !blobs.has(digest)).length, 3);
  });
});
