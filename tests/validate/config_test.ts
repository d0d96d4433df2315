import { WRONG_DIGEST } from "../fixtures/image.ts";
import { type Case, LAYER, testCases } from "./harness.ts";

const cases: readonly Case[] = [
  {
    name: "43: no architecture",
    image: { config: (config) => delete config.architecture },
    problems: [{ id: 43, outcome: "fail", where: "config sha256:", detail: "missing is not" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "43: os is empty",
    image: { config: (config) => config.os = "" },
    problems: [{ id: 43, outcome: "fail", where: " os", detail: '""' }],
  },
  {
    name: "43: a config that is an array",
    image: { rawConfig: () => "[]" },
    problems: [{ id: 43, outcome: "fail", where: "config sha256:", detail: "[] is not an obj" }],
  },
  {
    name: "44: rootfs.type",
    image: { config: (config) => (config.rootfs as Record<string, unknown>).type = "weird" },
    problems: [{
      id: 44,
      outcome: "fail",
      where: "rootfs.type",
      detail: '"weird" is not "layers"',
    }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "44, 45: no rootfs",
    image: { config: (config) => delete config.rootfs },
    problems: [
      { id: 44, outcome: "fail", where: "rootfs.type" },
      { id: 45, outcome: "fail", where: "rootfs.diff_ids", detail: "missing is not an array" },
    ],
  },
  {
    name: "45: a wrong diffID",
    image: { layers: [{ tar: LAYER, diffId: WRONG_DIGEST, compression: "gzip" }] },
    problems: [{
      id: 45,
      outcome: "fail",
      where: "rootfs.diff_ids[0]",
      detail: `${WRONG_DIGEST} is not that of layer 0`,
    }],
    others: [{ id: 5, outcome: "pass" }],
  },
  {
    name: "45: the diffID of a layer of sha512",
    image: { algorithm: "sha512", layers: [{ tar: LAYER, compression: "zstd" }] },
    others: [{ id: 45, outcome: "pass", detail: "layers: 1" }],
  },
  {
    name: "46: more diffIDs than layers",
    image: {
      config: (config) => {
        (config.rootfs as { diff_ids: string[] }).diff_ids.push(WRONG_DIGEST);
      },
    },
    problems: [{
      id: 46,
      outcome: "fail",
      where: "rootfs.diff_ids",
      detail: "2 diffIDs and 1 lay",
    }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "46: a history of other layers",
    image: { config: (config) => config.history = [{ empty_layer: true }] },
    problems: [{ id: 46, outcome: "fail", where: "history", detail: "0 layers, there are 1" }],
  },
  {
    name: "46: no history",
    image: { config: (config) => delete config.history },
    others: [{ id: 46, outcome: "pass" }],
  },
  {
    name: "47: dates",
    image: {
      config: (config) => {
        config.created = "2026-01-01T00:00:00Z";
        config.history = [{ created: null }];
      },
    },
    others: [{ id: 47, outcome: "pass", detail: "dates: 1" }],
  },
  {
    name: "47: what is no date",
    image: {
      config: (config) => {
        config.created = "2026-01-01";
        config.history = [{ created: "today" }];
      },
    },
    problems: [{
      id: 47,
      outcome: "fail",
      where: " created",
      detail: 'history[0].created: "today"',
    }],
  },
  {
    name: "48: members of Docker's",
    image: {
      config: (config) => config.docker_version = "25",
      run: { Shell: ["/bin/sh"], Hostname: "x" },
    },
    others: [{ id: 48, outcome: "pass", detail: "additional members: 3" }],
  },
  {
    name: "49: null counts as absent",
    image: {
      config: (config) => config.author = null,
      run: { Cmd: null, Env: null, Labels: null, Healthcheck: null },
    },
    others: [{ id: 49, outcome: "pass" }],
  },
  {
    name: "49: a member of the wrong type",
    image: { run: { Env: { A: "b" } } },
    problems: [{ id: 49, outcome: "fail", where: "config.Env", detail: "not an array" }],
  },
  {
    name: "58: a label that is a number",
    image: { run: { Labels: { a: "b", c: 1 } } },
    problems: [{ id: 58, outcome: "fail", where: "config.Labels.c", detail: "1 is not a string" }],
  },
  {
    name: "58, 59: annotations everywhere",
    image: {
      manifest: (manifest) => manifest.annotations = { "com.example": "" },
      index: (index) => index.annotations = {},
    },
    others: [{ id: 58, outcome: "pass" }, { id: 59, outcome: "pass", detail: "keys: 1" }],
  },
  {
    name: "58: annotations that are null, an array, and of numbers",
    image: {
      index: (index) => index.annotations = null,
      manifest: (manifest) => manifest.annotations = ["a=b"],
      layers: [{ tar: LAYER, descriptor: { annotations: { a: 1 } } }],
    },
    problems: [{
      id: 58,
      outcome: "fail",
      where: "index.json annotations",
      detail: "annotations.a",
    }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "60: a duplicate name, and the rest is looked at",
    image: { rawConfig: (json) => json.replace("{", '{"os":"plan9",') },
    problems: [{ id: 60, outcome: "fail", where: "config sha256:", detail: '"os" stands twice' }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "60: a byte order mark",
    image: { rawIndex: (json) => `\ufeff${json}` },
    problems: [{ id: 60, outcome: "fail", where: "index.json", detail: "byte order mark" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "60: bytes that are not UTF-8",
    image: {
      config: (config) => config.author = "@",
      rawConfig: (json) =>
        new TextEncoder().encode(json).map((byte) => byte === 0x40 ? 0xff : byte),
    },
    problems: [{ id: 60, outcome: "fail", where: "config sha256:", detail: "not UTF-8" }],
    others: [{ id: 43, outcome: "pass" }, { id: 45, outcome: "pass" }],
  },
  {
    name: "60: a bomb of brackets",
    image: { rawManifest: () => "[".repeat(1_000_000) },
    problems: [{ id: 60, outcome: "fail", where: "manifest sha256:", detail: "nested deeper" }],
  },
  {
    name: "60: a document that is too long",
    image: { rawManifest: (json) => json + " ".repeat(8 * 1024 * 1024) },
    problems: [{ id: 60, outcome: "fail", where: "index.json manifests[0]", detail: "too many" }],
  },
];
testCases(cases);
