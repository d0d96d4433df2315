import { blobPath, type Json, WRONG_DIGEST } from "../fixtures/image.ts";
import { type Case, first, testCases } from "./harness.ts";

const cases: readonly Case[] = [
  {
    name: "an image that nothing is wrong with",
    others: [
      { id: 1, outcome: "pass" },
      { id: 5, outcome: "pass", detail: "blobs: 3" },
      { id: 7, outcome: "skip" },
      { id: 22, outcome: "pass", detail: "contents: 3" },
      { id: 45, outcome: "pass", detail: "layers: 1" },
      { id: 62, outcome: "skip", detail: "no registry" },
    ],
  },
  {
    name: "1: no oci-layout",
    after: (dir) => Deno.removeSync(`${dir}/oci-layout`),
    problems: [{ id: 1, outcome: "fail", where: "oci-layout", detail: "no such file" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "1: oci-layout is an array",
    image: { rawLayout: () => "[]" },
    problems: [{ id: 1, outcome: "fail", detail: "[] is not an object" }],
  },
  {
    name: "1: oci-layout is a symlink",
    after: (dir) => {
      Deno.removeSync(`${dir}/oci-layout`);
      Deno.symlinkSync("/etc/hostname", `${dir}/oci-layout`);
    },
    problems: [{ id: 1, outcome: "fail", detail: "not a regular file" }],
  },
  {
    name: "2: no imageLayoutVersion",
    image: { layout: (layout) => delete layout.imageLayoutVersion },
    problems: [{ id: 2, outcome: "fail", where: "imageLayoutVersion", detail: "missing" }],
  },
  {
    name: "2: an unknown imageLayoutVersion",
    image: { layout: (layout) => layout.imageLayoutVersion = "2.0.0" },
    problems: [{ id: 2, outcome: "fail", detail: '"2.0.0" is not "1.0.0"' }],
  },
  {
    name: "3: no blobs",
    after: (dir) => Deno.removeSync(`${dir}/blobs`, { recursive: true }),
    problems: [
      { id: 3, outcome: "fail", where: "blobs" },
      { id: 8, outcome: "warn", where: "index.json manifests[0]" },
    ],
  },
  {
    name: "4: no index.json",
    after: (dir) => Deno.removeSync(`${dir}/index.json`),
    problems: [{ id: 4, outcome: "fail", where: "index.json", detail: "no such file" }],
    others: [
      { id: 5, outcome: "pass", detail: "blobs: 3" },
      { id: 7, outcome: "pass", detail: "blobs without a reference: 3" },
    ],
  },
  {
    name: "4: index.json is a string",
    image: { rawIndex: () => '"index"' },
    problems: [{ id: 4, outcome: "fail", detail: "is not an object" }],
  },
  {
    name: "4: index.json is not JSON",
    image: { rawIndex: () => "<html>" },
    problems: [
      { id: 4, outcome: "fail", detail: "it is not JSON" },
      { id: 60, outcome: "fail", where: "index.json" },
    ],
  },
  {
    name: "5: a blob that nothing refers to has the wrong name",
    after: (dir) => Deno.writeTextFileSync(blobPath(dir, WRONG_DIGEST), "x"),
    problems: [
      { id: 5, outcome: "fail", where: "blobs/sha256/0123456789abcdef", detail: "has the digest" },
      { id: 22, outcome: "warn" },
    ],
  },
  {
    name: "5: the same with a digest in the reference: only the image is looked at",
    after: (dir) => Deno.writeTextFileSync(blobPath(dir, WRONG_DIGEST), "x"),
    selector: ({ manifestDigest }) => `@${manifestDigest}`,
    others: [{ id: 5, outcome: "pass", detail: "blobs: 3" }],
  },
  {
    name: "5: a blob is a directory",
    after: (dir, { layerDigests: [digest = ""] }) => {
      Deno.removeSync(blobPath(dir, digest));
      Deno.mkdirSync(blobPath(dir, digest));
    },
    problems: [{ id: 5, outcome: "fail", detail: "not a regular file" }],
  },
  {
    name: "5: a blob is a symlink",
    after: (dir, { layerDigests: [digest = ""] }) => {
      Deno.renameSync(blobPath(dir, digest), `${dir}/moved`);
      Deno.symlinkSync("../../moved", blobPath(dir, digest));
    },
    problems: [{ id: 5, outcome: "fail", detail: "not a regular file" }],
    others: [{ id: 9, outcome: "pass", detail: "additional files: 1" }],
  },
  {
    name: "6: names that are no digests",
    after: (dir) => {
      Deno.mkdirSync(`${dir}/blobs/Sha256`);
      Deno.writeTextFileSync(`${dir}/blobs/Sha256/x`, "");
      Deno.writeTextFileSync(`${dir}/blobs/sha256/short`, "");
      Deno.writeTextFileSync(`${dir}/blobs/loose`, "");
    },
    problems: [{ id: 6, outcome: "fail", where: "blobs/Sha256/x", detail: "blobs/sha256/short: " }],
  },
  {
    name: "6: unknown algorithms are right names",
    after: (dir) => {
      Deno.mkdirSync(`${dir}/blobs/md5+b64`);
      Deno.writeTextFileSync(`${dir}/blobs/md5+b64/XrY7u-Ae7tCTyyK7j1rNww==`, "hello world");
    },
    others: [
      { id: 6, outcome: "pass" },
      { id: 7, outcome: "pass", detail: "blobs without a reference: 1" },
    ],
  },
  {
    name: "8: a missing layer",
    image: { layers: [{ missing: true }] },
    problems: [{ id: 8, outcome: "warn", where: "layers[0]", detail: "is not here" }],
  },
  {
    name: "9: additional files",
    after: (dir) => {
      Deno.writeTextFileSync(`${dir}/manifest.json`, "not JSON");
      Deno.mkdirSync(`${dir}/more/and/more`, { recursive: true });
      Deno.writeTextFileSync(`${dir}/more/x`, "");
    },
    others: [{ id: 9, outcome: "pass", detail: "additional files: 2" }],
  },
  {
    name: "10: an unknown mediaType in index.json",
    image: {
      index: (index) => {
        (index.manifests as Json[]).push({
          mediaType: "application/xml",
          digest: WRONG_DIGEST,
          size: 7143,
        });
      },
    },
    others: [{ id: 10, outcome: "pass", detail: '"application/xml"' }],
  },
  {
    name: "11: a good tag",
    image: {
      index: (index) => {
        first(index, "manifests").annotations = {
          "org.opencontainers.image.ref.name": "registry.example.com:5000/a/b--c:1.2",
        };
      },
    },
    others: [{ id: 11, outcome: "pass", detail: "names: 1" }],
  },
  {
    name: "11: a malformed tag",
    image: {
      index: (index) => {
        first(index, "manifests").annotations = { "org.opencontainers.image.ref.name": "a b" };
      },
    },
    problems: [{ id: 11, outcome: "warn", where: "index.json manifests[0]", detail: "grammar" }],
  },
  {
    name: "11: a tag in a manifest",
    image: {
      layers: [{ descriptor: { annotations: { "org.opencontainers.image.ref.name": "a" } } }],
    },
    problems: [{ id: 11, outcome: "warn", where: "layers[0]", detail: "outside of index.json" }],
  },
];
testCases(cases);
