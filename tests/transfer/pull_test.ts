import { assert, assertEquals } from "@std/assert";
import type { ProgressEvent } from "../../src/layer/progress.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { resolveImage } from "../../src/source/image.ts";
import type { ImageStore } from "../../src/store/images.ts";
import type { PulledImage } from "../../src/store/stored_image.ts";
import { pullImage, type PullOptions } from "../../src/transfer/pull.ts";
import {
  blobPath,
  compress,
  digestOf,
  dockerArchive,
  imageLayout,
  type ImageSpec,
  type Json,
  ociArchive,
} from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { readLocation, refuses } from "../source/scratch.ts";
import { addIndex, AMD64, ARM64, listed, tagsIn, withStore } from "../store/image_fixture.ts";

const BASE = tarball([file("base", "base")]);
const TOP = tarball([file("top", "top".repeat(1000))]);
const LAYERS = [{ tar: BASE }, { tar: TOP, compression: "gzip" as const }];

const pull = (store: ImageStore, reference: string, more: Partial<PullOptions> = {}) =>
  pullImage(store, { reference, platform: AMD64, engine: "wasm", ...more });

const staged = (dir: string) => [...Deno.readDirSync(`${dir}/staging`)].map(({ name }) => name);
const blobsOf = (store: ImageStore) => store.blobs.list().map(({ digest }) => digest as string);

/** Gives a layout's only image a tag. */
const tagged = (tag: string) => (index: Json) => {
  (index.manifests as Json[])[0]!.annotations = { [REF_NAME]: tag };
};

Deno.test("an image of a layout or an archive comes into the store as it is", async () => {
  for (const more of [{}, { algorithm: "sha512" }, { family: "docker" }] as Partial<ImageSpec>[]) {
    await withStore(async (store, dir) => {
      const image = imageLayout(`${dir}.image`, { layers: LAYERS, ...more, index: tagged("v1") });
      const all = [image.manifestDigest, image.configDigest, ...image.layerDigests];
      const bytes = all.reduce(
        (sum, blob) => sum + Deno.statSync(blobPath(image.dir, blob)).size,
        0,
      );
      const events: ProgressEvent[] = [];
      const onProgress = (event: ProgressEvent) => events.push(event);
      const expected: PulledImage = {
        name: "user/app",
        tag: "latest",
        digest: parseDigest(image.manifestDigest),
        configDigest: parseDigest(image.configDigest),
        platform: AMD64,
        layers: 2,
        bytes,
        copied: { blobs: 4, bytes },
        reused: { blobs: 0, bytes: 0 },
        warnings: [],
      };
      const as = "docker.io/user/app";
      assertEquals(await pull(store, image.reference, { as, onProgress }), expected);
      for (const digest of all) {
        const location = store.blobs.locate(parseDigest(digest));
        assertEquals(readLocation(location), Deno.readFileSync(blobPath(image.dir, digest)));
      }
      const [start] = events;
      assert(start?.type === "start");
      const moved = events.flatMap((event) => event.type === "bytes" ? event.delta : []);
      assertEquals(moved.reduce((sum, delta) => sum + delta, 0), start.bytes);
      assertEquals(events.filter(({ type }) => type === "layer").length, 2);
      assertEquals(events.at(-1), { type: "end" });
      // The same again, from an archive, under the source's own tag.
      const archive = ociArchive(`${dir}.tar`, image.dir);
      const again = await pull(store, archive, { engine: "native" });
      const reused = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 4, bytes } };
      assertEquals(again, { ...expected, name: "v1", tag: "latest", ...reused });
      assertEquals(tagsIn(dir), ["user/app:latest", "v1:latest"]);
      const resolved = await resolveImage("user/app", AMD64, { store: dir });
      assertEquals(resolved.digest as string, image.manifestDigest);
      assertEquals(staged(dir), []);
    });
  }
});

Deno.test("of an index, the manifest of the platform comes along and nothing else", async () => {
  await withStore(async (store, dir) => {
    const spec = (name: string, architecture: string): ImageSpec => ({
      layers: [{ tar: tarball([file(name, name)]) }],
      config: (config) => config.architecture = architecture,
    });
    const source = `${dir}.image`;
    const images = (["amd64", "arm64"] as const).map((arch) => {
      const image = imageLayout(`${source}.${arch}`, spec(arch, arch));
      const { manifests } = JSON.parse(Deno.readTextFileSync(`${image.dir}/index.json`));
      return {
        ...image,
        entry: { ...manifests[0], platform: { os: "linux", architecture: arch } },
      };
    });
    imageLayout(source, { layers: [] });
    for (const { dir: from } of images) {
      for (const { name } of Deno.readDirSync(`${from}/blobs/sha256`)) {
        Deno.copyFileSync(`${from}/blobs/sha256/${name}`, `${source}/blobs/sha256/${name}`);
      }
    }
    const index = addIndex(source, images.map(({ entry }) => entry));
    const entry = { ...index, annotations: { [REF_NAME]: "many:1" } };
    const text = JSON.stringify({ schemaVersion: 2, manifests: [entry] });
    Deno.writeTextFileSync(`${source}/index.json`, text);
    const pulled = await pull(store, `oci:${source}:many:1`, { platform: ARM64 });
    assertEquals([pulled.digest as string, pulled.platform], [images[1]!.manifestDigest, ARM64]);
    const { manifestDigest, configDigest, layerDigests } = images[1]!;
    assertEquals(blobsOf(store), [manifestDigest, configDigest, ...layerDigests].sort());
    await pull(store, `oci:${source}:many:1`);
    // Both stay under one name, and the platform chooses.
    assertEquals(tagsIn(dir), ["many:1", "many:1"]);
    for (const [i, platform] of [AMD64, ARM64].entries()) {
      const { digest } = await resolveImage("many:1", platform, { store: dir });
      assertEquals(digest as string, images[i]!.manifestDigest);
    }
  });
});

Deno.test("a docker-archive gets a manifest, and keeps its config and its layers", async () => {
  await withStore(async (store, dir) => {
    const zipped = compress(TOP, "gzip");
    const reference = dockerArchive(`${dir}.tar`, {
      layers: [BASE, zipped],
      tags: ["registry.example.com/app:2", "test:latest"],
      config: (config) => {
        config.docker_version = "24";
        config.rootfs = { type: "layers", diff_ids: [BASE, TOP].map((tar) => digestOf(tar)) };
        config.history = [];
      },
    });
    const image = await resolveImage(reference, AMD64);
    const pulled = await pull(store, reference);
    assertEquals([pulled.name, pulled.tag], ["registry.example.com/app", "2"]);
    assertEquals(pulled.warnings.length, 1);
    assertEquals(pulled.configDigest, image.configDigest);
    const json = (digest: typeof pulled.digest) =>
      JSON.parse(new TextDecoder().decode(readLocation(store.blobs.locate(digest))));
    const oci = "application/vnd.oci.image";
    assertEquals(json(pulled.digest), {
      schemaVersion: 2,
      mediaType: `${oci}.manifest.v1+json`,
      config: {
        mediaType: `${oci}.config.v1+json`,
        digest: image.configDigest,
        size: image.configBytes.length,
      },
      layers: [
        { mediaType: `${oci}.layer.v1.tar`, digest: digestOf(BASE), size: BASE.length },
        { mediaType: `${oci}.layer.v1.tar+gzip`, digest: digestOf(zipped), size: zipped.length },
      ],
    });
    assertEquals(json(image.configDigest).docker_version, "24");
    const second = await pull(store, `${reference}:test:latest`);
    assertEquals([second.name, second.digest, second.copied.blobs], ["test", pulled.digest, 0]);
    const resolved = await resolveImage("test", AMD64, { store: dir });
    assertEquals(
      resolved.layers.map(({ diffId }) => diffId as string),
      [BASE, TOP].map((tar) => digestOf(tar)),
    );
  });
});

Deno.test("a layer of a docker-archive that is not what the config says is refused", async () => {
  await withStore(async (store, dir) => {
    const reference = dockerArchive(`${dir}.tar`, {
      layers: [BASE, TOP],
      config: (config) => {
        (config.rootfs as { diff_ids: string[] }).diff_ids[1] = digestOf(BASE);
      },
    });
    await refuses(() => pull(store, reference), "digest-mismatch", "layer 2 of 2", digestOf(TOP));
    assertEquals([tagsIn(dir), blobsOf(store), staged(dir)], [[], [digestOf(BASE)], []]);
  });
});

Deno.test("an image without a name gets one by --as only", async () => {
  await withStore(async (store, dir) => {
    const { reference } = imageLayout(`${dir}.plain`, { layers: LAYERS });
    await refuses(() => pull(store, reference), "usage", "it has no tag", "--as NAME[:TAG]");
    const odd = imageLayout(`${dir}.odd`, { layers: LAYERS, index: tagged("Debian+1") });
    await refuses(() => pull(store, odd.reference), "usage", '"Debian+1" is no image name', "--as");
    const archive = dockerArchive(`${dir}.tar`, { layers: [BASE], tags: [] });
    await refuses(() => pull(store, archive), "usage", "it has no tag", "--as");
    await refuses(() => pull(store, reference, { as: "Upper" }), "usage", "is no image name");
    const pinned = `a@${digestOf(BASE)}`;
    await refuses(() => pull(store, reference, { as: pinned }), "usage", "it has a digest");
    // Nobody could name it: "oci:x" is a directory.
    await refuses(() => pull(store, reference, { as: "oci:x" }), "usage", "read as oci:PATH");
    await refuses(() => pull(store, "alpine"), "not-found", "docker://HOST/NAME or oci:DIR");
    assertEquals([tagsIn(dir), blobsOf(store)], [[], []]);
    await pull(store, odd.reference, { as: "debian:1" });
    assertEquals((await listed(store)).length, 1);
  });
});

Deno.test("a failure leaves no tag and whole blobs only, and the next pull goes on from there", async () => {
  await withStore(async (store, dir) => {
    const image = imageLayout(`${dir}.image`, { layers: LAYERS });
    const path = blobPath(image.dir, image.layerDigests[1]!);
    const good = Deno.readFileSync(path);
    Deno.writeFileSync(path, good.with(100, good[100]! ^ 1));
    const run = (more: Partial<PullOptions> = {}) =>
      pull(store, image.reference, { as: "a", ...more });
    await refuses(run, "digest-mismatch", "layer 2 of 2", image.layerDigests[1]!);
    Deno.truncateSync(path, 10);
    await refuses(run, "size-mismatch", image.layerDigests[1]!);
    Deno.removeSync(path);
    await refuses(run, "image-invalid", image.layerDigests[1]!);
    assertEquals([tagsIn(dir), blobsOf(store), staged(dir)], [[], [image.layerDigests[0]!], []]);
    Deno.writeFileSync(path, good);
    await refuses(() => run({ signal: AbortSignal.abort() }), "interrupted");
    assertEquals([tagsIn(dir), staged(dir)], [[], []]);
    const pulled = await run();
    assertEquals([pulled.copied.blobs, pulled.reused.blobs], [3, 1]);
    const platform = parsePlatform("linux/s390x");
    await refuses(() => run({ platform }), "platform-not-found");
    assertEquals(tagsIn(dir), ["a:latest"]);
  });
});

Deno.test("many pulls of one image at a time all succeed", async () => {
  await withStore(async (store, dir) => {
    const image = imageLayout(`${dir}.image`, { layers: LAYERS });
    const names = Array.from({ length: 8 }, (_, i) => `a${i}`);
    const results = await Promise.all(names.map((as) => pull(store, image.reference, { as })));
    assertEquals(new Set(results.map(({ digest }) => digest as string)).size, 1);
    assertEquals(tagsIn(dir).sort(), names.map((name) => `${name}:latest`));
    assertEquals([(await store.roots()).problems, staged(dir)], [[], []]);
    assertEquals(blobsOf(store).length, 4);
  });
});
