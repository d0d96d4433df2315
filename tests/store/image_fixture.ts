/**
 * What the tests of a store's images share.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Descriptor, REF_NAME } from "../../src/oci/descriptor.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { ImageStore } from "../../src/store/images.ts";
import { blobPath, type BuiltImage, digestOf, imageLayout, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { withDirectory } from "../source/scratch.ts";

export const AMD64 = parsePlatform("linux/amd64");
export const ARM64 = parsePlatform("linux/arm64");

/** An image in the blobs of the store at `dir`, in which no tag names it. */
export function addImage(
  dir: string,
  id: string,
  platform = AMD64,
): BuiltImage & { entry: Descriptor } {
  const image = imageLayout(`${dir}.${id}`, {
    layers: [
      { tar: tarball([file("shared", "shared")]) },
      { tar: tarball([file(id, id)]), compression: "gzip" },
    ],
    config: (config) => {
      config.architecture = platform.architecture;
      config.created = "2024-05-06T07:08:09Z";
    },
  });
  Deno.mkdirSync(`${dir}/blobs/sha256`, { recursive: true });
  for (const { name } of Deno.readDirSync(`${image.dir}/blobs/sha256`)) {
    Deno.copyFileSync(`${image.dir}/blobs/sha256/${name}`, `${dir}/blobs/sha256/${name}`);
  }
  Deno.removeSync(image.dir, { recursive: true });
  return { ...image, entry: describe(dir, image.manifestDigest, OCI_MANIFEST, platform) };
}

/** A descriptor of a blob. */
function describe(
  dir: string,
  digest: string,
  mediaType: string,
  platform?: typeof AMD64,
): Descriptor {
  const { size } = Deno.statSync(blobPath(dir, digest));
  const described = { mediaType, digest: parseDigest(digest), size };
  return platform === undefined ? described : { ...described, platform };
}

/** Runs a test with a new store. */
export async function withStore(test: (store: ImageStore, dir: string) => unknown): Promise<void> {
  await withDirectory(async (parent) => {
    const dir = `${parent}/store`;
    const store = new ImageStore(dir);
    await store.initialize();
    await test(store, dir);
  });
}

/** index.json, parsed. */
export const readIndex = (dir: string) => JSON.parse(Deno.readTextFileSync(`${dir}/index.json`));
/** Puts another index.json in its place. */
export const writeIndex = (dir: string, index: unknown) =>
  Deno.writeTextFileSync(`${dir}/index.json`, JSON.stringify(index));
/** The tags in index.json; undefined for an entry without. */
export const tagsIn = (dir: string): unknown[] =>
  readIndex(dir).manifests.map((entry: Json) =>
    (entry.annotations as Json | undefined)?.[REF_NAME]
  );
/** Name, tag and digest of all images; there must be nothing wrong with them. */
export const listed = async (store: ImageStore) => {
  const { images, problems } = await store.list();
  assertEquals(problems, []);
  return images.map(({ name, tag, digest }) => `${name}:${tag} ${digest}`);
};

/** Writes an index of `entries` as a blob. */
export function addIndex(dir: string, entries: readonly Descriptor[]): Descriptor {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: entries }));
  const digest = digestOf(bytes);
  Deno.writeFileSync(blobPath(dir, digest), bytes);
  return describe(dir, digest, OCI_INDEX);
}
