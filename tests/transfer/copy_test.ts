/** Copies between layouts, archives and stores. The platform tests have other tools as judges. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ProgressEvent } from "../../src/layer/progress.ts";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { resolveImage } from "../../src/source/image.ts";
import { NEEDS } from "../../src/source/delta_annotation.ts";
import { validateImage } from "../../src/validate/validate.ts";
import { blobPath, digestOf, dockerArchive, imageLayout, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { refuses, withDirectory } from "../source/scratch.ts";
import { readIndex, tagsIn } from "../store/image_fixture.ts";
import {
  addBlob,
  addDocument,
  AMD64,
  BASE,
  blobsIn,
  copy,
  LAYERS,
  manyLayout,
  tagged,
  TOP,
  writeIndex,
} from "./harness.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

Deno.test("an image goes through every format and comes back with every byte", () =>
  withDirectory(async (dir) => {
    for (const more of [{}, { algorithm: "sha512" }, { family: "docker" }] as const) {
      const key = JSON.stringify(more).replaceAll(/\W/g, "");
      const at = (name: string) => `${dir}/${key}-${name}`;
      const image = imageLayout(at("image"), { layers: LAYERS, ...more });
      const store = { storePath: at("store") };
      const way = [
        `oci:${at("one")}:a/b:1`,
        `oci-archive:${at("two.tar")}:v1`,
        "app:1",
        `oci:${at("three")}`,
        `oci-archive:${at("four.tar")}`,
        `oci:${at("end")}:end`,
      ];
      let from = image.reference;
      for (const to of way) {
        const copied = await copy(from, to, store);
        assertEquals(copied.digest as string, image.manifestDigest, to);
        assertEquals([copied.copied.blobs, copied.reused.blobs, copied.warnings], [4, 0, []]);
        from = to;
      }
      assertEquals(blobsIn(at("end")), blobsIn(image.dir));
      for (const digest of blobsIn(image.dir)) {
        assertEquals(
          Deno.readFileSync(blobPath(at("end"), digest)),
          Deno.readFileSync(blobPath(image.dir, digest)),
        );
      }
      const { valid } = await validateImage(`oci-archive:${at("two.tar")}`);
      assert(valid);
      assertEquals(names(at("one")), ["blobs", "index.json", "oci-layout"]);
    }
  }));

Deno.test("a docker-archive keeps all digests for those who read it as a layout", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, { layers: [...LAYERS, LAYERS[0]!] });
    const archive = `${dir}/a.tar`;
    await copy(image.reference, `docker-archive:${archive}:example.com/app:2`);
    const source = await resolveImage(`docker-archive:${archive}`, AMD64);
    assertEquals(source.tags, ["example.com/app:2"]);
    assertEquals(source.configDigest as string, image.configDigest);
    assertEquals(source.layers.map(({ digest }) => digest as string | null), image.layerDigests);
    const layout = await resolveImage(`oci-archive:${archive}:2`, AMD64);
    assertEquals(layout.digest as string, image.manifestDigest);
    const back = await copy(`docker-archive:${archive}`, `oci:${dir}/back:1`);
    assertEquals([back.digest as string, back.copied.blobs], [image.manifestDigest, 4]);
    assertEquals(blobsIn(`${dir}/back`), blobsIn(image.dir));
  }));

Deno.test("a docker-archive of others, layers without digests, becomes a layout", () =>
  withDirectory(async (dir) => {
    const reference = dockerArchive(`${dir}/a.tar`, { layers: [BASE, TOP] });
    const { warnings } = await copy(reference, `oci:${dir}/out:1`);
    assertEquals(warnings.length, 1);
    assertStringIncludes(warnings[0]!, "its digest is not the one");
    const { layers } = await resolveImage(`oci:${dir}/out:1`, AMD64);
    assertEquals(layers.map(({ digest }) => digest as string), [digestOf(BASE), digestOf(TOP)]);
  }));

Deno.test("a docker-archive takes one image of one platform", () =>
  withDirectory(async (dir) => {
    const many = manyLayout(`${dir}/many`);
    const to = `docker-archive:${dir}/a.tar`;
    await refuses(() => copy(`oci:${many.dir}`, to, { all: true }), "usage", "--platform");
    const artifact = addDocument(many.dir, {
      schemaVersion: 2,
      artifactType: "application/vnd.example",
      config: addBlob(
        many.dir,
        new TextEncoder().encode("{}"),
        "application/vnd.oci.empty.v1+json",
      ),
      layers: [addBlob(many.dir, BASE, "application/vnd.example.data")],
    }, "application/vnd.oci.image.manifest.v1+json");
    writeIndex(many.dir, [artifact]);
    await refuses(() => copy(`oci:${many.dir}`, to), "unsupported", "not a container image");
    assertEquals(names(dir), ["many"]);
  }));

Deno.test("all platforms come along, nested indexes and what nobody knows included", () =>
  withDirectory(async (dir) => {
    const many = manyLayout(`${dir}/many`);
    const data = addBlob(many.dir, new TextEncoder().encode("data"), "application/vnd.example");
    const artifact = addDocument(many.dir, {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/vnd.example",
      config: addBlob(
        many.dir,
        new TextEncoder().encode("{}"),
        "application/vnd.oci.empty.v1+json",
      ),
      layers: [data],
      subject: many.manifests[0],
    }, "application/vnd.oci.image.manifest.v1+json");
    const outer = addDocument(many.dir, {
      schemaVersion: 2,
      manifests: [many.index, artifact, many.manifests[0], data],
    }, "application/vnd.oci.image.index.v1+json");
    writeIndex(many.dir, [{ ...outer, annotations: { [REF_NAME]: "outer" } }]);
    for (const to of [`oci:${dir}/out:o`, `oci-archive:${dir}/out.tar:o`]) {
      const copied = await copy(`oci:${many.dir}`, to, { all: true });
      assertEquals(copied.digest as string, outer.digest);
    }
    await copy(`oci-archive:${dir}/out.tar`, `oci:${dir}/again:o`, { all: true });
    for (const copied of ["out", "again"]) {
      assertEquals(blobsIn(`${dir}/${copied}`), blobsIn(many.dir), copied);
    }
    // The index is there only once all is.
    const arm = await copy(`oci:${many.dir}`, `oci:${dir}/arm:1`, {
      platform: { os: "linux", architecture: "arm64" },
    });
    assertEquals(arm.digest as unknown, many.manifests[1]!.digest);
    assertEquals(blobsIn(`${dir}/arm`).length, 4);
  }));

Deno.test("several entries of one tag go together, or one by its platform", () =>
  withDirectory(async (dir) => {
    const many = manyLayout(`${dir}/many`);
    const annotations = { [REF_NAME]: "two" };
    writeIndex(many.dir, many.manifests.map((entry) => ({ ...entry, annotations })));
    const store = { storePath: `${dir}/store` };
    await copy(`oci:${many.dir}:two`, "two:1", { all: true, ...store });
    assertEquals(tagsIn(`${dir}/store`), ["two:1", "two:1"]);
    await copy("two:1", `oci:${dir}/out:x`, { all: true, ...store });
    assertEquals(tagsIn(`${dir}/out`), ["x", "x"]);
    const platform = { os: "linux", architecture: "arm64" };
    const { digest } = await copy(`oci:${many.dir}:two`, `oci:${dir}/out:x`, { platform });
    assertEquals(digest as unknown, many.manifests[1]!.digest);
    // A tag has what was copied last, and nothing else.
    assertEquals(tagsIn(`${dir}/out`), ["x"]);
  }));

Deno.test("what is in a layout stays, and only a tag that is given again moves", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, { layers: LAYERS });
    const other = imageLayout(`${dir}/other`, { layers: [{ tar: TOP }], index: tagged("kept") });
    const index = readIndex(other.dir);
    const foreign = {
      mediaType: "application/x",
      digest: digestOf(TOP),
      size: TOP.length,
      extra: 1,
    };
    writeIndex(other.dir, [...index.manifests, foreign]);
    await copy(image.reference, `oci:${other.dir}:new`);
    const more = await copy(image.reference, `oci:${other.dir}:new`);
    assertEquals([more.copied.blobs, more.reused.blobs], [0, 4]);
    await copy(image.reference, `oci:${other.dir}`);
    await copy(image.reference, `oci:${other.dir}`);
    assertEquals(tagsIn(other.dir), ["kept", undefined, "new", undefined]);
    assertEquals(readIndex(other.dir).manifests[1], foreign);
    await copy(`oci:${other.dir}:kept`, `oci:${other.dir}:new`);
    assertEquals(tagsIn(other.dir), ["kept", undefined, undefined, "new"]);
  }));

Deno.test("nothing is written over that is something else", () =>
  withDirectory(async (dir) => {
    const { reference } = imageLayout(`${dir}/image`, { layers: LAYERS });
    Deno.mkdirSync(`${dir}/home`);
    Deno.writeTextFileSync(`${dir}/home/letter`, "dear");
    Deno.writeTextFileSync(`${dir}/file`, "mine");
    await refuses(() => copy(reference, `oci:${dir}/home`), "conflict", "no image layout");
    await refuses(() => copy(reference, `oci:${dir}/file`), "conflict");
    await refuses(() => copy(reference, `oci-archive:${dir}/file`), "conflict", "remove it first");
    await refuses(() => copy(reference, `docker-archive:${dir}/file`), "conflict");
    await refuses(() => copy(reference, `oci:${dir}/x@${digestOf(TOP)}`), "usage", "by a tag");
    await refuses(() => copy(reference, `oci-archive:${dir}/no/such.tar`), "not-found");
    assertEquals(names(dir), ["file", "home", "image"]);
    assertEquals(names(`${dir}/home`), ["letter"]);
    assertEquals(Deno.readTextFileSync(`${dir}/file`), "mine");
  }));

Deno.test("what is wrong on its way is refused: no tag, no archive, whole blobs only", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, {
      layers: [...LAYERS, { tar: tarball([file("third", "3")]) }],
      after: (at, { layerDigests }) => {
        const bytes = Deno.readFileSync(blobPath(at, layerDigests[1]!));
        bytes[20]! ^= 1;
        Deno.writeFileSync(blobPath(at, layerDigests[1]!), bytes);
      },
    });
    const part = ["digest-mismatch", "layer 2 of 3", image.layerDigests[1]!] as const;
    await refuses(() => copy(image.reference, `oci:${dir}/out:1`), ...part);
    assertEquals(blobsIn(`${dir}/out`), [image.layerDigests[0]!]);
    assertEquals([tagsIn(`${dir}/out`), names(`${dir}/out`)], [[], [
      "blobs",
      "index.json",
      "oci-layout",
    ]]);
    await refuses(() => copy(image.reference, `oci-archive:${dir}/out.tar`), ...part);
    await refuses(() => copy(image.reference, `docker-archive:${dir}/out.tar`), ...part);
    assertEquals(names(dir), ["image", "out"]);
  }));

Deno.test("a copy that is interrupted leaves nothing half done, and the next one goes on", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, { layers: LAYERS });
    const controller = new AbortController();
    const events: ProgressEvent[] = [];
    const how = {
      signal: controller.signal,
      onProgress: (event: ProgressEvent) => {
        events.push(event);
        if (event.type === "layer") controller.abort();
      },
    };
    await refuses(() => copy(image.reference, `oci:${dir}/out:1`, how), "interrupted");
    assertEquals([tagsIn(`${dir}/out`), blobsIn(`${dir}/out`)], [[], [image.layerDigests[0]!]]);
    const again = await copy(image.reference, `oci:${dir}/out:1`);
    assertEquals([again.copied.blobs, again.reused.blobs], [3, 1]);
    await refuses(() => copy(image.reference, `oci-archive:${dir}/out.tar`, how), "interrupted");
    assertEquals(names(dir), ["image", "out"]);
  }));

Deno.test("litter of a killed copy is swept by the next", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, { layers: LAYERS });
    Deno.mkdirSync(`${dir}/out/.layerfs/0123456789abcdef`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/out/.layerfs/0123456789abcdef/sha256-half`, "half");
    Deno.writeTextFileSync(`${dir}/out/.layerfs/0123456789abcdef.lock`, "");
    Deno.writeTextFileSync(`${dir}/out/index.json.new`, "{");
    Deno.writeTextFileSync(`${dir}/.out.tar.layerfs-part`, "half an archive".repeat(10_000));
    await copy(image.reference, `oci:${dir}/out:1`);
    await copy(image.reference, `oci-archive:${dir}/out.tar`);
    assertEquals(names(`${dir}/out`), ["blobs", "index.json", "oci-layout"]);
    assertEquals(names(dir), ["image", "out", "out.tar"]);
    assert((await validateImage(`oci-archive:${dir}/out.tar`)).valid);
  }));

Deno.test("a delta lacks what the other side has, says so, and works where that is", () =>
  withDirectory(async (dir) => {
    const old = imageLayout(`${dir}/old`, { layers: LAYERS, index: tagged("1") });
    const top = { tar: tarball([file("new", "new")]) };
    const next = imageLayout(`${dir}/next`, { layers: [...LAYERS, top], index: tagged("2") });
    const base = { layersMissingFrom: `oci:${old.dir}:1` };
    for (const delta of [`oci:${dir}/delta:2`, `oci-archive:${dir}/delta.tar:2`]) {
      const made = await copy(next.reference, delta, base);
      assertEquals([made.copied.blobs, made.leftOut.layers], [3, 2]);
      const missing = ["oci:", `${dir}/old`, `@${old.manifestDigest}`, "copy that, and then this"];
      await refuses(() => resolveImage(delta, AMD64), "image-invalid", ...missing);
      await refuses(() => copy(delta, `oci:${dir}/empty-${made.reused.blobs}:2`), "image-invalid");
      const there = `${dir}/there-${delta.split(":")[0]}`;
      await copy(`oci:${old.dir}:1`, `oci:${there}:1`);
      const whole = await copy(delta, `oci:${there}:2`);
      assertEquals([whole.copied.blobs, whole.reused.blobs], [3, 2]);
      assertEquals((await resolveImage(`oci:${there}:2`, AMD64)).digest, made.digest);
      // There it is no delta any more.
      assert(!JSON.stringify(readIndex(there)).includes(NEEDS));
      const storePath = `${there}-store`;
      await copy(`oci:${old.dir}:1`, "app:1", { storePath });
      assertEquals((await copy(delta, "app:2", { storePath })).reused.blobs, 2);
    }
    const [entry] = readIndex(`${dir}/delta`).manifests as Json[];
    assertStringIncludes(String((entry!.annotations as Json)[NEEDS]), "old@sha256:");
    const to = `docker-archive:${dir}/no.tar`;
    await refuses(() => copy(next.reference, to, base), "usage", "--layers-missing-from");
    const none = { layersMissingFrom: `oci:${dir}/none` };
    await refuses(() => copy(next.reference, `oci:${dir}/no:1`, none), "not-found");
  }));

Deno.test("a layer that is to be had elsewhere only is left out, and that is said", () =>
  withDirectory(async (dir) => {
    const urls = { urls: ["https://example.com/base"] };
    const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const foreign = { ...LAYERS[1]!, mediaType, descriptor: urls, missing: true };
    const image = imageLayout(`${dir}/image`, { layers: [LAYERS[0]!, foreign], family: "docker" });
    for (const to of [`oci:${dir}/out:1`, `oci-archive:${dir}/out.tar`]) {
      const { warnings, copied } = await copy(image.reference, to);
      assertEquals([warnings.length, copied.blobs], [1, 3]);
      assertStringIncludes(warnings[0]!, "https://example.com/base");
    }
    // Where it is there, it comes along.
    const whole = imageLayout(`${dir}/whole`, {
      layers: [LAYERS[0]!, { ...foreign, missing: false }],
      family: "docker",
    });
    const copied = await copy(whole.reference, `oci:${dir}/all:1`);
    assertEquals([copied.warnings, copied.copied.blobs], [[], 4]);
  }));

Deno.test("two copies into one layout at a time lose nothing of each other", () =>
  withDirectory(async (dir) => {
    const images = Array.from(
      { length: 6 },
      (_, i) =>
        imageLayout(`${dir}/${i}`, { layers: [LAYERS[0]!, { tar: tarball([file(`${i}`, "")]) }] }),
    );
    await Promise.all(images.map(({ reference }, i) => copy(reference, `oci:${dir}/out:${i}`)));
    assertEquals(tagsIn(`${dir}/out`).sort(), ["0", "1", "2", "3", "4", "5"]);
    assertEquals(names(`${dir}/out`), ["blobs", "index.json", "oci-layout"]);
    assert((await validateImage(`oci:${dir}/out`)).valid);
  }));
