import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { RULES } from "../../src/validate/points.ts";
import { validateImage } from "../../src/validate/validate.ts";
import {
  dockerArchive,
  imageLayout,
  type Json,
  ociArchive,
  WRONG_DIGEST,
} from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { first, inTempDir, LAYER, rows } from "./harness.ts";

Deno.test("there are 62 points, in order", () => {
  assertEquals(RULES.map(({ id }) => id), Array.from({ length: 62 }, (_, i) => i + 1));
  const should = [8, 9, 11, 17, 21, 22, 27, 33, 40, 51, 57, 61];
  assertEquals(RULES.filter(({ level }) => level === "SHOULD").map(({ id }) => id), should);
});

Deno.test("the result has the keys that scripts rely on", () =>
  inTempDir(async (root) => {
    const { reference } = imageLayout(`${root}/image`, { layers: [{ tar: LAYER }] });
    const result = await validateImage(reference);
    assertEquals(Object.keys(result), ["reference", "valid", "points"]);
    assertEquals(result.reference, reference);
    assertEquals(result.points.length, 62);
    for (const point of result.points) {
      assertEquals(
        Object.keys(point).sort(),
        ["detail", "id", "level", "outcome", "rule", "where"],
      );
      assert(point.detail !== "", `point ${point.id} says nothing`);
    }
  }));

Deno.test("the engines agree", () =>
  inTempDir(async (root) => {
    const { reference } = imageLayout(`${root}/image`, {
      layers: [{ tar: LAYER, compression: "gzip" }],
    });
    assertEquals(await validateImage(reference, "native"), await validateImage(reference, "wasm"));
  }));

Deno.test("an archive of a layout gives the rows of the layout", () =>
  inTempDir(async (root) => {
    const layout = imageLayout(`${root}/image`, {
      layers: [{ tar: LAYER, compression: "gzip", size: 1 }],
      rawConfig: (json) => json.replace('"linux"', '""'),
    });
    const archive = await validateImage(ociArchive(`${root}/image.tar`, layout.dir));
    assertEquals(archive.points, (await validateImage(layout.reference)).points);
    assertEquals(archive.valid, false);
  }));

Deno.test("several things wrong at once are all told", () =>
  inTempDir(async (root) => {
    const { reference } = imageLayout(`${root}/image`, {
      layers: [{ tar: LAYER, size: -5, diffId: WRONG_DIGEST }, { tar: tarball([file("a/.wh.")]) }],
      layout: (layout) => delete layout.imageLayoutVersion,
      config: (config) => delete config.os,
      manifest: (manifest) => manifest.schemaVersion = "2",
    });
    const { points } = await validateImage(reference);
    const failed = points.filter(({ outcome }) => outcome === "fail").map(({ id }) => id);
    assertEquals(failed, [2, 20, 28, 43, 45, 51]);
  }));

Deno.test("many findings of one point are counted", () =>
  inTempDir(async (root) => {
    const { reference } = imageLayout(`${root}/image`, {
      layers: Array.from({ length: 9 }, () => ({ tar: LAYER, size: -1 })),
    });
    const row = (await rows(reference)).get(20);
    assertStringIncludes(row?.where ?? "", "layers[0].size");
    assertStringIncludes(row?.detail ?? "", "and 4 more");
  }));

Deno.test("a tag narrows what is looked at", () =>
  inTempDir(async (root) => {
    const { reference } = imageLayout(`${root}/image`, {
      layers: [{ tar: LAYER }],
      index: (index) => {
        const entry = first(index, "manifests");
        entry.annotations = { "org.opencontainers.image.ref.name": "good" };
        (index.manifests as Json[]).push({
          ...entry,
          digest: WRONG_DIGEST,
          annotations: { "org.opencontainers.image.ref.name": "lost" },
        });
      },
    });
    assertEquals((await rows(`${reference}:good`)).get(8)?.outcome, "pass");
    assertEquals((await rows(`${reference}:lost`)).get(8)?.outcome, "warn");
    assertEquals((await rows(reference)).get(8)?.outcome, "warn");
    for (const wrong of [`${reference}:other`, `${reference}@sha256:${"1".repeat(64)}`]) {
      const error = await assertRejects(() => validateImage(wrong), LayerfsError);
      assertEquals(error.code, "not-found", wrong);
    }
  }));

Deno.test("a docker-archive: config and layers are looked at", () =>
  inTempDir(async (root) => {
    const good = await rows(dockerArchive(`${root}/good.tar`, { layers: [LAYER, LAYER] }));
    for (const id of [5, 43, 44, 45, 46, 50]) assertEquals(good.get(id)?.outcome, "pass", `${id}`);
    assertEquals(good.get(45)?.detail, "layers: 2");
    for (const id of [1, 4, 12, 28, 38, 58]) {
      assertStringIncludes(good.get(id)?.detail ?? "", "a docker-archive has no");
    }
    const bad = await validateImage(dockerArchive(`${root}/bad.tar`, {
      layers: [LAYER],
      config: (config) => {
        config.rootfs = { type: "weird", diff_ids: [WRONG_DIGEST] };
        delete config.history;
      },
    }));
    assertEquals(bad.valid, false);
    const failed = bad.points.filter(({ outcome }) => outcome === "fail").map(({ id }) => id);
    assertEquals(failed, [44, 45]);
  }));

Deno.test("a docker-archive: members that are missing, misnamed, and images by name", () =>
  inTempDir(async (root) => {
    const missing = await validateImage(dockerArchive(`${root}/missing.tar`, {
      layers: [LAYER],
      manifest: ([image]) => Object.assign(image ?? {}, { Config: "no.json", Layers: ["no.tar"] }),
    }));
    const failed = missing.points.filter(({ outcome }) => outcome === "fail");
    assertEquals(failed.map(({ id }) => id), [43, 50]);
    const other = `${"0".repeat(64)}.json`;
    const misnamed = await rows(dockerArchive(`${root}/misnamed.tar`, {
      layers: [LAYER],
      entries: [file(other, '{"os":"linux"}')],
      manifest: ([image]) => Object.assign(image ?? {}, { Config: other }),
    }));
    assertEquals(misnamed.get(5)?.outcome, "fail");
    assertEquals(misnamed.get(43)?.outcome, "fail");
    const named = dockerArchive(`${root}/named.tar`, { layers: [LAYER], tags: ["a:1", "b:2"] });
    assertEquals((await validateImage(`${named}:b:2`)).valid, true);
    const error = await assertRejects(() => validateImage(`${named}:c:3`), LayerfsError);
    assertEquals(error.code, "not-found");
  }));

Deno.test("what there is not cannot be validated", () =>
  inTempDir(async (root) => {
    const plain = `${root}/plain.tar`;
    Deno.writeFileSync(plain, tarball([file("a", "b")]));
    const table: readonly [string, string][] = [
      [`oci:${root}/none`, "not-found"],
      [`oci:${plain}`, "image-invalid"],
      [`oci-archive:${root}/none.tar`, "not-found"],
      [`docker-archive:${plain}`, "image-invalid"],
      ["docker://example.com/image", "permission-missing"],
      ["image", "not-found"],
      ["oci:", "usage"],
    ];
    for (const [reference, code] of table) {
      const error = await assertRejects(() => validateImage(reference), LayerfsError);
      assertEquals(error.code, code, reference);
    }
  }));

Deno.test("a directory that is no layout is looked at, and fails", () =>
  inTempDir(async (root) => {
    const { points } = await validateImage(`oci:${root}`);
    const failed = points.filter(({ outcome }) => outcome === "fail").map(({ id }) => id);
    assertEquals(failed, [1, 3, 4]);
  }));
