import { assertEquals } from "@std/assert";
import { base64Problem, type Descriptor, readDescriptor } from "../../src/oci/descriptor.ts";
import { Fields } from "../../src/oci/fields.ts";
import {
  descriptor,
  EMPTY_DIGEST,
  type Json,
  type Rejection,
  testRejections,
} from "./documents.ts";

const TYPE = "application/vnd.oci.image.layer.v1.tar";
const read = (more: Json): Descriptor =>
  readDescriptor(new Fields("manifest", "layers[2]", descriptor(TYPE, more)));

Deno.test("a descriptor of three members has three", () => {
  const plain: unknown = read({});
  assertEquals(plain, { mediaType: TYPE, digest: EMPTY_DIGEST, size: 2 });
});

Deno.test("every member is read", () => {
  const full: unknown = read({
    size: Number.MAX_SAFE_INTEGER,
    urls: ["https://example.com/a"],
    annotations: { "com.example.a": "", "": "b" },
    data: "e30=",
    platform: {
      architecture: "arm",
      os: "linux",
      variant: "v6",
      "os.version": "1",
      "os.features": ["a"],
    },
    artifactType: "application/vnd.example",
    unknown: { is: "fine" },
  });
  assertEquals(full, {
    mediaType: TYPE,
    digest: EMPTY_DIGEST,
    size: Number.MAX_SAFE_INTEGER,
    urls: ["https://example.com/a"],
    annotations: { "com.example.a": "", "": "b" },
    data: new TextEncoder().encode("{}"),
    platform: {
      architecture: "arm",
      os: "linux",
      variant: "v6",
      osVersion: "1",
      osFeatures: ["a"],
    },
    artifactType: "application/vnd.example",
  });
});

Deno.test("null and empty members count as absent", () => {
  const plain: unknown = read({
    urls: null,
    annotations: null,
    data: null,
    platform: null,
    artifactType: "",
  });
  assertEquals(plain, { mediaType: TYPE, digest: EMPTY_DIGEST, size: 2 });
  assertEquals(read({ size: 0, data: "" }).data, new Uint8Array(0));
  assertEquals(read({ digest: "md5:d41d8cd98f00b204e9800998ecf8427e" }).digest.slice(0, 4), "md5:");
  assertEquals(read({ platform: { architecture: "", os: "" } }).platform, {
    architecture: "",
    os: "",
  });
});

const rejections: readonly Rejection[] = [
  ["no mediaType", () => read({ mediaType: undefined }), "layers[2].mediaType is missing"],
  ["mediaType empty", () => read({ mediaType: "" }), 'layers[2].mediaType is ""'],
  ["mediaType a number", () => read({ mediaType: 1 }), "layers[2].mediaType is 1, not a string"],
  ["mediaType malformed", () => read({ mediaType: "tar" }), 'is "tar", not a media type'],
  ["no digest", () => read({ digest: undefined }), "layers[2].digest is missing"],
  ["digest null", () => read({ digest: null }), "layers[2].digest is null"],
  [
    "digest in uppercase",
    () => read({ digest: EMPTY_DIGEST.toUpperCase() }),
    'layers[2].digest is "SHA256:44136',
  ],
  ["digest too short", () => read({ digest: "sha256:ab" }), "and 64 lowercase hex digits"],
  ["digest an object", () => read({ digest: {} }), "layers[2].digest is {}"],
  ["no size", () => read({ size: undefined }), "layers[2].size is missing"],
  ["size negative", () => read({ size: -1 }), "layers[2].size is -1"],
  ["size a fraction", () => read({ size: 1.5 }), "layers[2].size is 1.5"],
  ["size a string", () => read({ size: "2" }), 'layers[2].size is "2"'],
  ["size unsafe", () => read({ size: 2 ** 53 }), "layers[2].size is 9007199254740992"],
  ["size infinite", () => read({ size: Infinity }), "not a whole number from 0 to 2^53 - 1"],
  ["size null", () => read({ size: null }), "layers[2].size is null"],
  ["urls a string", () => read({ urls: "https://a" }), "layers[2].urls is", "not an array"],
  ["urls of numbers", () => read({ urls: ["a:b", 2] }), "layers[2].urls[1] is 2, not a string"],
  ["annotations an array", () => read({ annotations: [] }), "annotations is [], not an object"],
  [
    "annotation a number",
    () => read({ annotations: { ok: "", "com.example": 1 } }),
    'layers[2].annotations["com.example"] is 1, not a string',
  ],
  ["annotation null", () => read({ annotations: { a: null } }), "annotations.a is null"],
  ["data a number", () => read({ data: 1 }), "layers[2].data is 1, not a string"],
  ["data unpadded", () => read({ data: "e30" }), 'layers[2].data is "e30", not base64'],
  ["data of the URL alphabet", () => read({ data: "_-8=" }), "not base64"],
  ["data with white space", () => read({ data: "e3\n0=" }), "not base64"],
  ["data with bits left over", () => read({ data: "e31=" }), "not base64"],
  ["platform a string", () => read({ platform: "linux" }), "layers[2].platform is"],
  [
    "platform without os",
    () => read({ platform: { architecture: "a" } }),
    "platform.os is missing",
  ],
  ["platform without architecture", () => read({ platform: { os: "a" } }), "architecture is miss"],
  [
    "platform with one feature as string",
    () => read({ platform: { os: "a", architecture: "b", "os.features": "x" } }),
    'layers[2].platform["os.features"] is "x", not an array',
  ],
  ["artifactType malformed", () => read({ artifactType: "sbom" }), "layers[2].artifactType is"],
];
testRejections("a descriptor", "image-invalid", rejections);

Deno.test("base64 as RFC 4648, section 4", () => {
  for (const text of ["", "AA==", "AAA=", "AAAA", "+/+/"]) assertEquals(base64Problem(text), null);
  for (const text of ["A", "AA", "AAA", "AA=", "AAA==", "AB==", "A-==", "AA==AA==", " ", 1, null]) {
    assertEquals(typeof base64Problem(text), "string", String(text));
  }
});
