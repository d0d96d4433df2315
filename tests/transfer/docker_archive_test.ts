/** The manifest of an image that went through a docker-archive. */

import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { blobPath, imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { refuses, withDirectory } from "../source/scratch.ts";
import { readIndex } from "../store/image_fixture.ts";
import { blobsIn, copy, LAYERS } from "./harness.ts";

Deno.test("a docker-archive of ours gives the manifest back that it was made of", () =>
  withDirectory(async (dir) => {
    for (const more of [{ family: "docker" }, { algorithm: "sha512" }] as Partial<ImageSpec>[]) {
      const id = Object.values(more)[0]!;
      const image = imageLayout(`${dir}/${id}`, {
        layers: [...LAYERS, LAYERS[0]!],
        manifest: (manifest) => manifest.annotations = { "org.example.kept": "yes" },
        ...more,
      });
      const archive = `docker-archive:${dir}/${id}.tar:app:1`;
      const to = await copy(image.reference, archive);
      const back = await copy(archive, `oci:${dir}/${id}.back:1`);
      assertEquals([to.warnings, back.warnings], [[], []]);
      assertEquals(back.digest as string, image.manifestDigest);
      assertEquals(blobsIn(`${dir}/${id}.back`), blobsIn(image.dir));
    }
  }));

Deno.test("of an archive with a layout, only a manifest of this very image is taken", () =>
  withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/image`, {
      layers: LAYERS,
      // So that one that is made is another one.
      manifest: (manifest) => manifest.annotations = { "org.example.kept": "yes" },
    });
    const [, hex = ""] = image.manifestDigest.split(":");
    const read = (name: string) => Deno.readFileSync(`${image.dir}/${name}`);
    const name = (digest: string) => `blobs/${digest.replace(":", "/")}`;
    const [original = {}] = readIndex(image.dir).manifests;
    /** Such an archive, with these entries in index.json and these layers in manifest.json. */
    const archive = (
      id: string,
      entries: readonly Json[],
      { layers = image.layerDigests, more = "", members = [] as Uint8Array[] } = {},
    ) => {
      const blobs = [image.configDigest, ...image.layerDigests].map(name);
      const text = new TextDecoder().decode(read(`blobs/sha256/${hex}`));
      const index = JSON.stringify({ schemaVersion: 2, manifests: entries });
      const manifest = { Config: name(image.configDigest), RepoTags: null };
      Deno.writeFileSync(
        `${dir}/${id}.tar`,
        tarball([
          file("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
          file("index.json", index),
          file("manifest.json", JSON.stringify([{ ...manifest, Layers: layers.map(name) }])),
          file(`blobs/sha256/${hex}`, text + more),
          ...blobs.map((blob) => file(blob, read(blob))),
          ...members,
        ]),
      );
      return copy(`docker-archive:${dir}/${id}.tar`, `oci:${dir}/${id}:1`);
    };
    const absent = { ...original, digest: `sha256:${"0".repeat(64)}` };
    const again = { ...original, annotations: { [REF_NAME]: "again" } };
    const kept = await archive("kept", [absent, original, again]);
    assertEquals([kept.digest as string, kept.warnings], [image.manifestDigest, []]);
    for (const [id, entries] of Object.entries({ none: [], absent: [absent] })) {
      const made = await archive(id, entries);
      assertNotEquals(made.digest as string, image.manifestDigest);
      assertStringIncludes(made.warnings.join("\n"), `${id}.tar" has no manifest`);
    }
    const other = imageLayout(`${dir}/other`, { layers: LAYERS });
    const rival = file(
      name(other.manifestDigest),
      Deno.readFileSync(blobPath(other.dir, other.manifestDigest)),
    );
    const entries = [original, ...readIndex(other.dir).manifests];
    assertEquals((await archive("rivals", entries, { members: [rival] })).warnings.length, 1);
    const reversed = await archive("reversed", [original], {
      layers: image.layerDigests.toReversed(),
    });
    assertEquals(reversed.warnings.length, 1);
    await refuses(() => archive("broken", [original], { more: " " }), "size-mismatch", hex);
    const lied = { ...original, size: (original.size as number) + 1 };
    await refuses(() => archive("lied", [lied], { more: " " }), "digest-mismatch", hex);
  }));
