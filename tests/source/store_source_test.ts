import { assertEquals } from "@std/assert";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { resolveImage } from "../../src/source/image.ts";
import { openSource } from "../../src/source/open.ts";
import { type BuiltImage, imageLayout, type Json, WRONG_DIGEST } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { refuses, withDirectory } from "./scratch.ts";

const AMD64 = parsePlatform("linux/amd64");

/** A layout whose only image has the given tags. */
function tagged(dir: string, ...tags: string[]): BuiltImage {
  return imageLayout(dir, {
    layers: [{ tar: tarball([file("a", "a")]) }],
    index: (index) => {
      const [entry] = index.manifests as [Json];
      index.manifests = tags.map((tag) => ({ ...entry, annotations: { [REF_NAME]: tag } }));
    },
  });
}

Deno.test("a bare name is looked up in the store, however it or the tag is spelled", async () => {
  await withDirectory(async (dir) => {
    const tags = ["alpine:latest", "docker.io/user/app:1", "ghcr.io/x/y", "Not A Name"];
    const { manifestDigest } = tagged(`${dir}/store`, ...tags);
    for (
      const [name, reference] of [
        ["alpine", "alpine:latest"],
        ["docker.io/library/alpine", "alpine:latest"],
        ["index.docker.io/alpine:latest", "alpine:latest"],
        ["user/app:1", "user/app:1"],
        ["ghcr.io/x/y:latest", "ghcr.io/x/y:latest"],
        [`alpine@${manifestDigest}`, `alpine@${manifestDigest}`],
        [`other:9@${manifestDigest}`, `other@${manifestDigest}`],
      ] as const
    ) {
      const image = await resolveImage(name, AMD64, { store: `${dir}/store` });
      assertEquals([image.digest as string, image.reference], [manifestDigest, reference]);
    }
  });
});

Deno.test("a tag spelled as the store spells it goes before another spelling", async () => {
  await withDirectory(async (dir) => {
    const foreign = tagged(`${dir}/a`, "alpine");
    const own = imageLayout(`${dir}/b`, { layers: [] });
    const index = JSON.parse(Deno.readTextFileSync(`${dir}/a/index.json`));
    const [entry] = JSON.parse(Deno.readTextFileSync(`${dir}/b/index.json`)).manifests;
    for (const { name } of Deno.readDirSync(`${dir}/b/blobs/sha256`)) {
      Deno.copyFileSync(`${dir}/b/blobs/sha256/${name}`, `${dir}/a/blobs/sha256/${name}`);
    }
    const resolve = async () =>
      (await resolveImage("alpine", AMD64, { store: `${dir}/a` })).digest as string;
    assertEquals(await resolve(), foreign.manifestDigest);
    index.manifests.push({ ...entry, annotations: { [REF_NAME]: "alpine:latest" } });
    Deno.writeTextFileSync(`${dir}/a/index.json`, JSON.stringify(index));
    assertEquals(await resolve(), own.manifestDigest);
  });
});

Deno.test("what the store does not have is not found, with what there is and how to get it", async () => {
  await withDirectory(async (dir) => {
    tagged(`${dir}/store`, "alpine:latest");
    Deno.mkdirSync(`${dir}/empty`);
    const resolve = (name: string, store: string) => () =>
      resolveImage(name, AMD64, { store: store });
    const advice = [
      "layerfs pull user/app:latest, or layerfs pull oci:DIR:TAG --as user/app:latest",
    ];
    const found = `there is "alpine:latest" (linux/amd64)`;
    await refuses(resolve("user/app", `${dir}/store`), "not-found", found, ...advice);
    await refuses(resolve("user/app", `${dir}/empty`), "not-found", "no image", ...advice);
    await refuses(resolve("user/app", `${dir}/absent`), "not-found", "no image", ...advice);
    await refuses(resolve("alpine:3", `${dir}/store`), "not-found", found, "--as alpine:3");
    await refuses(resolve(`a@${WRONG_DIGEST}`, `${dir}/store`), "not-found", WRONG_DIGEST, found);
    await refuses(() => openSource(parseReference("alpine")), "not-found", "docker://HOST/NAME");
  });
});

Deno.test("a damaged store is not an empty one", async () => {
  await withDirectory(async (dir) => {
    const store = `${dir}/store`;
    tagged(store, "alpine");
    const resolve = () => resolveImage("alpine", AMD64, { store: store });
    Deno.writeTextFileSync(`${store}/index.json`, '{"schemaVersion":2,"mani');
    await refuses(resolve, "image-invalid", "index");
    Deno.removeSync(`${store}/index.json`);
    Deno.symlinkSync("/etc/passwd", `${store}/index.json`);
    await refuses(resolve, "image-invalid", "not a regular file");
  });
});

Deno.test("a resolved image has the bytes of its documents and its tags", async () => {
  await withDirectory(async (dir) => {
    const { manifestDigest, configDigest, reference } = tagged(`${dir}/layout`, "alpine:3");
    const image = await resolveImage(reference, AMD64);
    const read = (digest: string) =>
      Deno.readFileSync(`${dir}/layout/blobs/${digest.replace(":", "/")}`);
    assertEquals(image.manifestBytes, read(manifestDigest));
    assertEquals(image.configBytes, read(configDigest));
    assertEquals(image.tags, ["alpine:3"]);
  });
});
