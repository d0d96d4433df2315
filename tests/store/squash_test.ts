import { assertEquals } from "@std/assert";
import type { BlobLocation } from "../../src/blob/location.ts";
import { resolveImage } from "../../src/source/image.ts";
import type { ImageStore } from "../../src/store/images.ts";
import { squashImage, type SquashOptions } from "../../src/store/squash.ts";
import { digestOf, dockerArchive, imageLayout } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { output } from "../fixtures/tree.ts";
import { readLocation, refuses } from "../source/scratch.ts";
import { AMD64, tagsIn, withStore } from "./image_fixture.ts";

const LAYERS = [tarball([file("a", "a")]), tarball([file("b", "b")])];
const CREATED = "2024-05-06T07:08:09.123Z";

/** A directory that stands for the mounted tree of the image. */
async function makeRoot(dir: string): Promise<string> {
  await Deno.mkdir(`${dir}.root`);
  const script = 'cd "$1" && echo a > a && echo b > b && touch -d @2000000000 a b .';
  await output("sh", ["-c", script, "sh", `${dir}.root`]);
  return `${dir}.root`;
}

const squash = async (store: ImageStore, reference: string, more: Partial<SquashOptions>) =>
  await squashImage(store, {
    image: await resolveImage(reference, AMD64, { store: store.path }),
    root: `${store.path}.root`,
    name: "flat",
    engine: "wasm",
    ...more,
  });

const staged = (dir: string) => [...Deno.readDirSync(`${dir}/staging`)].map(({ name }) => name);

Deno.test("an image is squashed to one layer, with its config but for the layers", async () => {
  await withStore(async (store, dir) => {
    await makeRoot(dir);
    const source = imageLayout(`${dir}.image`, {
      layers: LAYERS.map((tar) => ({ tar })),
      family: "docker",
      run: { Env: ["A=b"], Vendor: { kept: true } },
      config: (config) => {
        config.created = CREATED;
        config.docker_version = "24";
      },
    });
    const flat = await squash(store, source.reference, { name: "docker.io/library/flat:1" });
    assertEquals([flat.name, flat.tag, flat.layers, flat.warnings], ["flat", "1", 1, []]);
    assertEquals([flat.copied.blobs, flat.copied.bytes, flat.reused.blobs], [3, flat.bytes, 0]);
    const image = await resolveImage("flat:1", AMD64, { store: dir });
    assertEquals([image.digest, image.configDigest], [flat.digest, flat.configDigest]);
    assertEquals(image.config.rootfs.diffIds, [flat.diffId]);
    const oci = "application/vnd.oci.image";
    assertEquals(image.manifest?.mediaType, `${oci}.manifest.v1+json`);
    assertEquals(image.manifest?.config.mediaType, `${oci}.config.v1+json`);
    assertEquals(image.manifest?.layers.map(({ mediaType }) => mediaType), [
      `${oci}.layer.v1.tar+gzip`,
    ]);
    const layer = readLocation(image.layers[0]!.content);
    assertEquals(digestOf(layer), image.layers[0]!.digest as string);
    assertEquals(JSON.parse(new TextDecoder().decode(image.configBytes)), {
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["/bin/true"], Env: ["A=b"], Vendor: { kept: true } },
      rootfs: { type: "layers", diff_ids: [flat.diffId] },
      history: [{ created: CREATED, created_by: "layerfs squash" }],
      created: CREATED,
      docker_version: "24",
    });
    assertEquals([tagsIn(dir), staged(dir)], [["flat:1"], []]);
    // The result is the same on every run.
    const again = await squash(store, source.reference, { engine: "native" });
    assertEquals([again.digest, again.copied.blobs, again.reused.blobs], [flat.digest, 0, 3]);
    assertEquals((await store.roots()).problems, []);
  });
});

Deno.test("an epoch is the date of the image, and no time in it is later", async () => {
  await withStore(async (store, dir) => {
    await makeRoot(dir);
    const reference = dockerArchive(`${dir}.tar`, { layers: LAYERS });
    const flat = await squash(store, reference, { epoch: 1_700_000_000, level: 0 });
    const image = await resolveImage("flat", AMD64, { store: dir });
    assertEquals(image.config.created, "2023-11-14T22:13:20Z");
    assertEquals(image.config.history[0]?.created, "2023-11-14T22:13:20Z");
    assertEquals(image.layers[0]?.digest, flat.diffId);
    const { path } = image.layers[0]!.content as BlobLocation;
    const times = await output("tar", ["-tvf", path, "--utc", "--full-time", "--numeric-owner"]);
    const lines = new TextDecoder().decode(times).trim().split("\n");
    assertEquals(lines.map((line) => /2023-11-14 22:13:20/.test(line)), [true, true, true]);
    // Without any date there is none.
    await squash(store, reference, { name: "undated" });
    const undated = await resolveImage("undated", AMD64, { store: dir });
    assertEquals([undated.config.created, undated.config.history], [undefined, [
      { createdBy: "layerfs squash", emptyLayer: false },
    ]]);
  });
});

Deno.test("what cannot be squashed leaves no tag and no blob", async () => {
  await withStore(async (store, dir) => {
    const root = await makeRoot(dir);
    const { reference } = imageLayout(`${dir}.image`, { layers: LAYERS.map((tar) => ({ tar })) });
    await refuses(() => squash(store, reference, { name: "Flat" }), "usage", "is no image name");
    for (const epoch of [-1, 1.5, NaN, 1e15]) {
      await refuses(() => squash(store, reference, { epoch }), "usage", "SOURCE_DATE_EPOCH");
    }
    await refuses(() => squash(store, reference, { signal: AbortSignal.abort() }), "interrupted");
    await Deno.writeTextFile(`${root}/.wh.a`, "");
    await refuses(() => squash(store, reference, {}), "unsupported", ".wh.");
    assertEquals([tagsIn(dir), store.blobs.list(), staged(dir)], [[], [], []]);
  });
});
