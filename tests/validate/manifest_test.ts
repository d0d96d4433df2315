import { createHash } from "node:crypto";
import { blobPath, type BuiltImage, type Json } from "../fixtures/image.ts";
import { type Case, first, LAYER, testCases } from "./harness.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

/** Adds a blob to a layout and gives its descriptor. */
function put(dir: string, mediaType: string, document: Json): Json {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  Deno.writeFileSync(blobPath(dir, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Makes index.json name an index that names, `levels` deep, what index.json had. */
function nest(levels: number, change?: (index: Json) => void) {
  return (dir: string) => {
    const path = `${dir}/index.json`;
    let index = JSON.parse(Deno.readTextFileSync(path)) as Json;
    for (let level = 0; level < levels; level++) {
      if (level === 0) change?.(index);
      index = { schemaVersion: 2, mediaType: INDEX, manifests: [put(dir, INDEX, index)] };
    }
    Deno.writeTextFileSync(path, JSON.stringify(index));
  };
}

const second = tarOf("second");

function tarOf(text: string): Uint8Array {
  const tar = LAYER.slice();
  // The content of etc/motd is the third block.
  tar.set(new TextEncoder().encode(text.slice(0, 6)), 1024);
  return tar;
}

const manifestCases: readonly Case[] = [
  {
    name: "28: schemaVersion 3",
    image: { manifest: (manifest) => manifest.schemaVersion = 3 },
    problems: [{ id: 28, outcome: "fail", where: "schemaVersion", detail: "3 is not 2" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "28: no schemaVersion",
    image: { manifest: (manifest) => delete manifest.schemaVersion },
    problems: [{ id: 28, outcome: "fail", where: "manifest sha256:", detail: "missing" }],
  },
  {
    name: "29: no mediaType",
    image: { manifest: (manifest) => delete manifest.mediaType },
    others: [{ id: 29, outcome: "skip" }],
  },
  {
    name: "29: mediaType of something else",
    image: { manifest: (manifest) => manifest.mediaType = "application/json" },
    problems: [{ id: 29, outcome: "fail", where: "mediaType", detail: '"application/json"' }],
  },
  {
    name: "29, 61: mediaType of the other family",
    image: { manifest: (manifest) => manifest.mediaType = DOCKER_MANIFEST },
    problems: [
      { id: 29, outcome: "fail", where: "mediaType", detail: "as announced" },
      { id: 61, outcome: "warn", where: "mediaType" },
    ],
  },
  {
    name: "an image of Docker's media types in a layout",
    image: { family: "docker", layers: [{ tar: LAYER, compression: "gzip" }] },
    others: [{ id: 29, outcome: "pass" }, { id: 35, outcome: "pass" }, { id: 45, outcome: "pass" }],
  },
  {
    name: "30: no config",
    image: { manifest: (manifest) => delete manifest.config },
    problems: [{ id: 30, outcome: "fail", where: "config", detail: "missing is not a desc" }],
  },
  {
    name: "30: a layer that is no descriptor",
    image: { manifest: (manifest) => manifest.layers = ["sha256:00"] },
    problems: [
      { id: 30, outcome: "fail", where: "layers[0]" },
      { id: 46, outcome: "fail" },
    ],
  },
  {
    name: "31: a config of unknown type is not parsed",
    image: {
      rawConfig: () => "not JSON at all",
      manifest: (manifest) => {
        (manifest.config as Json).mediaType = "application/vnd.example.config";
      },
    },
    others: [
      { id: 31, outcome: "pass", detail: "vnd.example.config" },
      { id: 43, outcome: "skip" },
      { id: 5, outcome: "pass", detail: "blobs: 3" },
    ],
  },
  {
    name: "32, 35: a layer of unknown type",
    image: { layers: [{ tar: LAYER, mediaType: "application/vnd.example.layer" }] },
    problems: [{ id: 35, outcome: "warn", where: "layers[0]", detail: "vnd.example.layer" }],
    others: [{ id: 32, outcome: "pass" }, { id: 45, outcome: "pass" }],
  },
  {
    name: "33: no layers",
    image: { layers: [] },
    problems: [{ id: 33, outcome: "warn", where: "layers", detail: "[] has no layer" }],
  },
  {
    name: "34: layers in the wrong order",
    image: {
      layers: [{ tar: LAYER }, { tar: second }],
      manifest: (manifest) => (manifest.layers as Json[]).reverse(),
    },
    problems: [
      { id: 34, outcome: "fail", where: "config sha256:", detail: "another order" },
      { id: 45, outcome: "fail", where: "rootfs.diff_ids[0]", detail: "rootfs.diff_ids[1]: " },
    ],
  },
  {
    name: "36: an empty config without artifactType",
    image: {
      rawConfig: () => "{}",
      manifest: (manifest) => {
        (manifest.config as Json).mediaType = "application/vnd.oci.empty.v1+json";
      },
    },
    problems: [{ id: 36, outcome: "fail", where: "artifactType", detail: "the config is empty" }],
  },
  {
    name: "37: a subject that is no descriptor",
    image: { manifest: (manifest) => manifest.subject = "sha256:00" },
    problems: [{ id: 37, outcome: "fail", where: "subject" }],
  },
  {
    name: "61: a manifest that is an index, too",
    image: { manifest: (manifest) => manifest.manifests = [] },
    problems: [{ id: 61, outcome: "fail", where: "manifests", detail: "another type" }],
  },
  {
    name: "a manifest that is not JSON",
    image: { rawManifest: () => "{" },
    problems: [{ id: 60, outcome: "fail", where: "manifest sha256:", detail: "not JSON" }],
  },
];
testCases(manifestCases);

const indexCases: readonly Case[] = [
  {
    name: "38: schemaVersion 1",
    image: { index: (index) => index.schemaVersion = 1 },
    problems: [{ id: 38, outcome: "fail", where: "index.json schemaVersion" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "39: no manifests",
    image: { index: (index) => delete index.manifests },
    problems: [{ id: 39, outcome: "fail", where: "index.json manifests", detail: "missing" }],
    others: [{ id: 7, outcome: "pass", detail: "3" }],
  },
  {
    name: "39: an empty list of manifests",
    image: { index: (index) => index.manifests = [] },
    others: [{ id: 39, outcome: "pass" }],
  },
  {
    name: "39: an entry that is no descriptor",
    image: { index: (index) => (index.manifests as unknown[]).push(null) },
    problems: [{ id: 39, outcome: "fail", where: "manifests[1]", detail: "null is not" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "40: a nested index",
    after: nest(1),
    others: [{ id: 40, outcome: "pass", detail: "nested indexes: 1" }, { id: 45, outcome: "pass" }],
  },
  {
    name: "40: an index of another type than its descriptor says",
    after: nest(1, (index) => index.mediaType = MANIFEST),
    problems: [{ id: 42, outcome: "fail", where: "index sha256:" }],
  },
  {
    name: "40: indexes nested as deep as may be",
    after: nest(8),
    others: [{ id: 40, outcome: "pass" }, { id: 45, outcome: "pass" }],
  },
  {
    name: "40: indexes nested too deep",
    after: nest(9),
    problems: [{ id: 40, outcome: "fail", detail: "nested deeper than 8" }],
  },
  {
    name: "42: mediaType of a manifest",
    image: { index: (index) => index.mediaType = MANIFEST },
    problems: [{ id: 42, outcome: "fail", where: "index.json mediaType" }],
  },
  {
    name: "61: an index that is a manifest, too",
    image: { index: (index) => index.layers = [] },
    problems: [{ id: 61, outcome: "fail", where: "index.json layers", detail: "another type" }],
  },
  {
    name: "one image under two entries is read once, each entry's size compared",
    image: {
      index: (index) => {
        const entry = first(index, "manifests");
        (index.manifests as Json[]).push({ ...entry, size: 1 });
      },
    },
    problems: [
      { id: 19, outcome: "fail", where: "index.json manifests[1]" },
      { id: 21, outcome: "warn", where: "index.json manifests[1]" },
    ],
    others: [{ id: 28, outcome: "pass", detail: "documents: 1" }],
  },
  {
    name: "a nested document named by its digest",
    after: nest(2),
    selector: ({ manifestDigest }: BuiltImage) => `@${manifestDigest}`,
    others: [{ id: 40, outcome: "skip" }, { id: 45, outcome: "pass" }],
  },
];
testCases(indexCases);
