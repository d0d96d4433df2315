import { assertEquals } from "@std/assert";
import { uriProblem } from "../../src/validate/uri.ts";
import { compress, WRONG_DIGEST } from "../fixtures/image.ts";
import { type Case, first, LAYER, testCases } from "./harness.ts";

const layer = (descriptor: Record<string, unknown>): Case["image"] => ({
  layers: [{ tar: LAYER, descriptor }],
});

const cases: readonly Case[] = [
  {
    name: "12: mediaType of a layer is malformed",
    image: layer({ mediaType: "tar" }),
    problems: [
      { id: 12, outcome: "fail", where: "layers[0].mediaType", detail: '"tar" is not a media' },
      { id: 35, outcome: "warn" },
    ],
  },
  {
    name: "12: no mediaType",
    image: layer({ mediaType: undefined }),
    problems: [
      { id: 12, outcome: "fail", where: "layers[0].mediaType", detail: "missing" },
      { id: 35, outcome: "warn" },
    ],
  },
  {
    name: "13: a digest without algorithm",
    image: layer({ digest: "abc" }),
    problems: [{ id: 13, outcome: "fail", where: "layers[0].digest", detail: '"abc" is not' }],
    others: [{ id: 7, outcome: "pass" }],
  },
  {
    name: "14: sha256 in uppercase",
    image: layer({ digest: WRONG_DIGEST.toUpperCase().replace("SHA", "sha") }),
    problems: [{ id: 14, outcome: "fail", where: "layers[0].digest", detail: "64 lowercase" }],
  },
  {
    name: "14: a diffID that is too short",
    image: { layers: [{ tar: LAYER, diffId: "sha256:00" }] },
    problems: [{ id: 14, outcome: "fail", where: "rootfs.diff_ids[0]" }],
  },
  {
    name: "15: sha512 that is too short",
    image: layer({ digest: WRONG_DIGEST.replace("256", "512") }),
    problems: [{ id: 15, outcome: "fail", where: "layers[0].digest", detail: "128 lowercase" }],
  },
  {
    name: "15: an image of sha512",
    image: { algorithm: "sha512" },
    others: [
      { id: 5, outcome: "pass", detail: "blobs: 3" },
      { id: 15, outcome: "pass" },
      { id: 18, outcome: "skip" },
      { id: 45, outcome: "pass" },
    ],
  },
  {
    name: "16: blake3 that is too long",
    image: layer({ digest: `blake3:${"0".repeat(65)}` }),
    problems: [{ id: 16, outcome: "fail", where: "layers[0].digest", detail: "64 lowercase" }],
  },
  {
    name: "17: an unknown algorithm where nothing is read",
    image: {
      manifest: (manifest) => {
        manifest.subject = {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest: "md5:d41d8cd98f00b204e9800998ecf8427e",
          size: 0,
        };
      },
    },
    others: [
      { id: 17, outcome: "pass", detail: "digests of md5: 1" },
      { id: 37, outcome: "pass" },
    ],
  },
  {
    name: "17: an unknown algorithm where content is needed",
    image: layer({ digest: "md5:d41d8cd98f00b204e9800998ecf8427e" }),
    problems: [{ id: 17, outcome: "warn", where: "layers[0]", detail: "by md5" }],
  },
  {
    name: "19: no size",
    image: layer({ size: undefined }),
    problems: [{ id: 19, outcome: "fail", where: "layers[0].size", detail: "missing" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "19: a fraction of a byte",
    image: layer({ size: 1.5 }),
    problems: [{ id: 19, outcome: "fail", detail: "1.5 is not a whole number" }],
  },
  {
    name: "19: a size beyond 2^53",
    image: layer({ size: 2 ** 60 }),
    problems: [{ id: 19, outcome: "fail", where: "layers[0].size" }],
  },
  {
    name: "19, 21: another size than the content has",
    image: layer({ size: LAYER.length - 1 }),
    problems: [
      { id: 19, outcome: "fail", where: "layers[0]", detail: `has ${LAYER.length} bytes` },
      { id: 21, outcome: "warn", where: "layers[0]" },
    ],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "20: a negative size",
    image: layer({ size: -1 }),
    problems: [{ id: 20, outcome: "fail", where: "layers[0].size", detail: "-1 is not" }],
  },
  {
    name: "22: another content than the digest says",
    image: { layers: [{ tar: LAYER, digest: WRONG_DIGEST }] },
    problems: [
      { id: 5, outcome: "fail", where: "layers[0]", detail: "has the digest sha256:" },
      { id: 22, outcome: "warn", where: "layers[0]", detail: `not ${WRONG_DIGEST}` },
    ],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "23: urls",
    image: layer({ urls: ["https://example.com/layer?a=b#c"] }),
    others: [{ id: 23, outcome: "pass", detail: "urls: 1" }],
  },
  {
    name: "23: urls that are none",
    image: layer({ urls: ["https://a", "no url", 7] }),
    problems: [{ id: 23, outcome: "fail", where: "layers[0].urls[1]", detail: "urls[2]: 7 is" }],
  },
  {
    name: "23: urls is a string",
    image: layer({ urls: "https://a" }),
    problems: [{ id: 23, outcome: "fail", where: "layers[0].urls", detail: "not an array" }],
  },
  {
    name: "24: data without padding",
    image: layer({ data: "YQ" }),
    problems: [{ id: 24, outcome: "fail", where: "layers[0].data", detail: "not base64" }],
  },
  {
    name: "25: embedded data",
    image: {
      rawManifest: (json) => json,
      manifest: (manifest) => {
        const config = manifest.config as Record<string, unknown>;
        config.mediaType = "application/vnd.oci.empty.v1+json";
        config.digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        config.size = 2;
        config.data = "e30=";
        manifest.artifactType = "application/vnd.example";
      },
    },
    others: [
      { id: 25, outcome: "pass", detail: "embedded contents: 1" },
      { id: 36, outcome: "pass" },
      { id: 31, outcome: "pass", detail: "vnd.oci.empty" },
    ],
  },
  {
    name: "25: embedded data that is not the content",
    image: {
      manifest: (manifest) => (manifest.config as Record<string, unknown>).data = "e30=",
    },
    problems: [{ id: 25, outcome: "fail", where: "config", detail: "data has the digest" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "26: artifactType is malformed",
    image: layer({ artifactType: "sbom" }),
    problems: [{ id: 26, outcome: "fail", where: "layers[0].artifactType" }],
  },
  {
    name: "27: no platform",
    image: { index: (index) => delete first(index, "manifests").platform },
    problems: [{ id: 27, outcome: "warn", where: "index.json manifests[0]" }],
  },
  {
    name: "41: a platform without os",
    image: { index: (index) => first(index, "manifests").platform = { architecture: "amd64" } },
    problems: [{ id: 41, outcome: "fail", where: "manifests[0].platform.os", detail: "missing" }],
  },
  {
    name: "41: a platform that is a string",
    image: { index: (index) => first(index, "manifests").platform = "linux/amd64" },
    problems: [{ id: 41, outcome: "fail", where: "manifests[0].platform.architecture" }],
  },
  {
    name: "35: the media type tells another compression than the bytes have",
    image: {
      layers: [{
        tar: LAYER,
        blob: compress(LAYER, "gzip"),
        mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
      }],
    },
    problems: [{ id: 35, outcome: "fail", where: "layers[0]", detail: '"zstd", found "gzip"' }],
  },
];
testCases(cases);

Deno.test("URIs as RFC 3986 writes them", () => {
  const right = [
    "https://example.com",
    "http://user:p%20w@[::1]:8080/a/b;c?d=e?f#g/h?i",
    "urn:isbn:0451450523",
    "mailto:a@example.com",
    "file:///etc/passwd",
    "x:",
    "ftp://a:/",
  ];
  for (const uri of right) assertEquals(uriProblem(uri), null, uri);
  const wrong: unknown[] = [
    "",
    "example.com/a",
    "//example.com",
    "1http://a",
    ":a",
    "http://a b",
    "http://a/%zz",
    "http://a/%2",
    "http://[::1",
    "http://a:b/",
    "http://a@b@c/",
    "http://a#b#c",
    "http://a/\n",
    "http://é.example/",
    "http://a/<b>",
    "http://a\\b",
    7,
    null,
  ];
  for (const uri of wrong) assertEquals(uriProblem(uri), "a URI (RFC 3986)", String(uri));
});

Deno.test("a very long URI is judged in linear time", () => {
  const start = performance.now();
  uriProblem(`http://${"a@:".repeat(300_000)}`);
  uriProblem(`http://${"a".repeat(1_000_000)}\u0000`);
  uriProblem(`x:${"?#".repeat(500_000)}`);
  assertEquals(performance.now() - start < 2_000, true);
});
