import { assertEquals } from "@std/assert";
import { type ImageIndex, parseIndex } from "../../src/oci/image_index.ts";
import {
  bytes,
  descriptor,
  EMPTY_DIGEST,
  index,
  type Json,
  type Rejection,
  testRejections,
} from "./documents.ts";

const OCI = "application/vnd.oci.image.index.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest.list.v2+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const parse = (more: Json = {}, mediaType?: string): ImageIndex =>
  parseIndex(bytes(index(more)), mediaType);

Deno.test("an index with every member", () => {
  const parsed: unknown = parse({
    annotations: { a: "b" },
    subject: descriptor(MANIFEST),
    artifactType: "application/vnd.example",
  });
  const plain = { mediaType: MANIFEST, digest: EMPTY_DIGEST, size: 2 };
  assertEquals(parsed, {
    schemaVersion: 2,
    mediaType: OCI,
    manifests: [plain],
    annotations: { a: "b" },
    subject: plain,
    artifactType: "application/vnd.example",
  });
});

Deno.test("indexes may be empty, nested, and of unknown types", () => {
  assertEquals(parse({ manifests: [] }).manifests, []);
  const nested = parse({ manifests: [descriptor(OCI), descriptor("application/xml")] });
  assertEquals(nested.manifests.map(({ mediaType }) => mediaType), [OCI, "application/xml"]);
});

Deno.test("the type of an index is its own, the expected one, or OCI's", () => {
  assertEquals(parse({ mediaType: DOCKER }, DOCKER).mediaType, DOCKER);
  assertEquals(parse({ mediaType: undefined }, DOCKER).mediaType, DOCKER);
  assertEquals(parse({ mediaType: undefined }).mediaType, OCI);
});

const rejections: readonly Rejection[] = [
  ["a string", () => parseIndex(bytes('"x"')), 'Cannot read index: it is "x", not an object'],
  ["no schemaVersion", () => parse({ schemaVersion: undefined }), "schemaVersion is missing"],
  ["no manifests", () => parse({ manifests: undefined }), "manifests is missing"],
  ["manifests null", () => parse({ manifests: null }), "manifests is null, not an array"],
  ["manifests an object", () => parse({ manifests: {} }), "manifests is {}, not an array"],
  ["mediaType of a manifest", () => parse({ mediaType: MANIFEST }), "not that of an image index"],
  ["mediaType other than expected", () => parse({}, DOCKER), `not "${DOCKER}"`],
  ["also a manifest, by layers", () => parse({ layers: [] }), 'it has "layers"', "CVE-2021-41190"],
  ["also a manifest, by config", () => parse({ config: {} }), 'it has "config"'],
  ["an entry without size", () => {
    parse({ manifests: [{ mediaType: MANIFEST, digest: EMPTY_DIGEST }] });
  }, "manifests[0].size is missing"],
  ["an entry's platform without os", () => {
    parse({ manifests: [descriptor(MANIFEST, { platform: { architecture: "arm" } })] });
  }, "manifests[0].platform.os is missing"],
];
testRejections("an index", "image-invalid", rejections);
testRejections("an index", "unsupported", [
  ["schema 1", () => parse({ schemaVersion: 1 }), "schemaVersion is 1"],
]);
