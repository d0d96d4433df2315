/**
 * What the tests of copying share.
 *
 * @module
 */

import { type CopiedImage, copyImage, type CopyOptions } from "../../src/transfer/copy.ts";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { createHash } from "node:crypto";
import { AMD64 } from "../store/image_fixture.ts";
import type { Json } from "../fixtures/image.ts";
import { imageLayout, type ImageSpec } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";

export const BASE = tarball([file("base", "base")]);
export const TOP = tarball([file("top", "top".repeat(1000))]);
export const LAYERS = [{ tar: BASE }, { tar: TOP, compression: "gzip" as const }];

/** Copies, with a store of the driver "directory". */
export const copy = (
  source: string,
  destination: string,
  more: Partial<CopyOptions> & { storePath?: string } = {},
): Promise<CopiedImage> =>
  copyImage({
    source,
    destination,
    engine: "native",
    store: () => ({ store: more.storePath ?? "/nowhere", driver: "directory" }),
    ...more,
  });

/** Gives a layout's only image a tag. */
export const tagged = (tag: string) => (index: Json) => {
  (index.manifests as Json[])[0]!.annotations = { [REF_NAME]: tag };
};

/** An image for a platform, whose layers are told apart by its name. */
export const specFor = (architecture: string): ImageSpec => ({
  layers: [{ tar: BASE }, { tar: tarball([file(architecture, architecture)]) }],
  config: (config) => config.architecture = architecture,
});

/** A layout with an index of two platforms, which has the tag "many". */
export function manyLayout(dir: string): { dir: string; manifests: Json[]; index: Json } {
  const built = ["amd64", "arm64"].map((architecture) => {
    const image = imageLayout(`${dir}.${architecture}`, specFor(architecture));
    const { manifests } = JSON.parse(Deno.readTextFileSync(`${image.dir}/index.json`));
    return {
      from: image.dir,
      entry: { ...manifests[0], platform: { os: "linux", architecture } },
    };
  });
  imageLayout(dir, { layers: [] });
  for (const { name } of Deno.readDirSync(`${dir}/blobs/sha256`)) {
    Deno.removeSync(`${dir}/blobs/sha256/${name}`);
  }
  for (const { from } of built) {
    for (const { name } of Deno.readDirSync(`${from}/blobs/sha256`)) {
      Deno.copyFileSync(`${from}/blobs/sha256/${name}`, `${dir}/blobs/sha256/${name}`);
    }
    Deno.removeSync(from, { recursive: true });
  }
  const manifests = built.map(({ entry }) => entry as Json);
  const index = addDocument(dir, { schemaVersion: 2, manifests }, INDEX_TYPE);
  writeIndex(dir, [{ ...index, annotations: { [REF_NAME]: "many" } }]);
  return { dir, manifests, index };
}

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** Writes a document as a blob, and returns its descriptor. */
export function addDocument(dir: string, value: unknown, mediaType: string): Json {
  return addBlob(dir, new TextEncoder().encode(JSON.stringify(value)), mediaType);
}

/** Writes a blob. */
export function addBlob(dir: string, bytes: Uint8Array, mediaType: string): Json {
  const hex = new Uint8Array(createHash("sha256").update(bytes).digest()).toHex();
  Deno.writeFileSync(`${dir}/blobs/sha256/${hex}`, bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

/** Puts other entries into index.json. */
export function writeIndex(dir: string, manifests: readonly Json[]): void {
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests };
  Deno.writeTextFileSync(`${dir}/index.json`, JSON.stringify(index));
}

/** Names of the blobs in a layout. */
export function blobsIn(dir: string): string[] {
  return ["sha256", "sha512"].flatMap((algorithm) => {
    try {
      return [...Deno.readDirSync(`${dir}/blobs/${algorithm}`)].map(({ name }) =>
        `${algorithm}:${name}`
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }).sort();
}

export { AMD64 };
