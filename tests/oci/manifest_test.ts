import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { MAX_LAYERS } from "../../src/limits.ts";
import { type Manifest, parseManifest } from "../../src/oci/manifest.ts";
import {
  bytes,
  descriptor,
  EMPTY_DIGEST,
  type Json,
  manifest,
  type Rejection,
  testRejections,
} from "./documents.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const parse = (more: Json = {}, mediaType?: string): Manifest =>
  parseManifest(bytes(manifest(more)), mediaType);

Deno.test("a manifest with every member", () => {
  const parsed: unknown = parseManifest(
    bytes(manifest({
      annotations: { a: "b" },
      subject: descriptor(OCI),
      artifactType: "application/vnd.example",
      more: 1,
    }, 2)),
    OCI,
  );
  const layer = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: EMPTY_DIGEST,
    size: 2,
  };
  assertEquals(parsed, {
    schemaVersion: 2,
    mediaType: OCI,
    config: { ...layer, mediaType: "application/vnd.oci.image.config.v1+json" },
    layers: [layer, layer],
    annotations: { a: "b" },
    subject: { ...layer, mediaType: OCI },
    artifactType: "application/vnd.example",
  });
});

Deno.test("the type of a manifest is its own, the expected one, or OCI's", () => {
  assertEquals(parse({ mediaType: DOCKER }).mediaType, DOCKER);
  assertEquals(parse({ mediaType: DOCKER }, DOCKER).mediaType, DOCKER);
  assertEquals(parse({ mediaType: undefined }, DOCKER).mediaType, DOCKER);
  assertEquals(parse({ mediaType: undefined }).mediaType, OCI);
});

Deno.test("layers may be none, which Go writes as null", () => {
  assertEquals(parse({ layers: [] }).layers, []);
  assertEquals(parse({ layers: null }).layers, []);
});

Deno.test("unknown types of config and layers are no error", () => {
  const parsed = parse({
    config: descriptor("application/vnd.example.config+json"),
    layers: [descriptor("application/vnd.example.layer")],
  });
  assertEquals(parsed.layers[0]?.mediaType, "application/vnd.example.layer");
});

Deno.test("an OCI index inside a manifest is seen even where it is empty", () => {
  assertThrows(() => parse({ manifests: [] }), LayerfsError, "CVE-2021-41190");
});

const rejections: readonly Rejection[] = [
  ["an array", () => parseManifest(bytes([])), "Cannot read manifest: it is [], not an object"],
  ["null", () => parseManifest(bytes(null)), "it is null"],
  ["not JSON", () => parseManifest(bytes("<html>")), "it is not JSON"],
  ["no schemaVersion", () => parse({ schemaVersion: undefined }), "schemaVersion is missing"],
  ["schemaVersion 3", () => parse({ schemaVersion: 3 }), "schemaVersion is 3, not 2"],
  ["schemaVersion a string", () => parse({ schemaVersion: "2" }), 'schemaVersion is "2"'],
  [
    "mediaType of an index",
    () => parse({ mediaType: "application/vnd.oci.image.index.v1+json" }),
    "mediaType is",
    "not that of an image manifest",
  ],
  ["mediaType a number", () => parse({ mediaType: 2 }), "mediaType is 2"],
  [
    "mediaType other than expected",
    () => parse({ mediaType: OCI }, DOCKER),
    `not "${DOCKER}" as its descriptor says`,
  ],
  ["also an index", () => parse({ manifests: [descriptor(OCI)] }), 'it has "manifests"'],
  ["also schema 1", () => parse({ fsLayers: [] }), 'it has "fsLayers"'],
  ["no config", () => parse({ config: undefined }), "config is missing"],
  ["config null", () => parse({ config: null }), "config is", "an object"],
  ["config without digest", () => parse({ config: { size: 1 } }), "config.mediaType is missing"],
  ["no layers", () => parse({ layers: undefined }), "layers is missing"],
  ["layers an object", () => parse({ layers: {} }), "layers is {}, not an array"],
  ["a layer that is null", () => parse({ layers: [null] }), "layers[0] is null, not an object"],
  [
    "a wrong third layer",
    () => {
      const layer = descriptor("a/b");
      parse({ layers: [layer, layer, { ...layer, digest: "sha256:0" }] });
    },
    'layers[2].digest is "sha256:0"',
  ],
  ["subject a string", () => parse({ subject: EMPTY_DIGEST }), "subject is"],
  ["annotations wrong", () => parse({ annotations: { a: {} } }), "annotations.a is {}"],
  ["artifactType wrong", () => parse({ artifactType: "x y" }), "artifactType is"],
];
testRejections("a manifest", "image-invalid", rejections);

testRejections("a manifest", "unsupported", [
  ["schema 1", () => parse({ schemaVersion: 1 }), "schemaVersion is 1", "push the image again"],
  [
    "too many layers",
    () => parseManifest(bytes(manifest({}, MAX_LAYERS + 1))),
    `layers has ${MAX_LAYERS + 1} entries`,
  ],
]);
