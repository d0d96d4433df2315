import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { checkLayerCount, type ImageConfig, parseConfig } from "../../src/oci/config.ts";
import {
  bytes,
  config,
  EMPTY_DIGEST,
  type Json,
  type Rejection,
  testRejections,
} from "./documents.ts";

const parse = (more: Json = {}): ImageConfig => parseConfig(bytes(config(more)));
const run = (members: Json): ImageConfig["config"] =>
  parseConfig(bytes(config({}, members))).config;

/** What a config says that says nothing. */
const NOTHING = {
  user: "",
  exposedPorts: [],
  env: [],
  entrypoint: [],
  cmd: [],
  volumes: [],
  workingDir: "",
  labels: {},
  stopSignal: "",
  shell: [],
  onBuild: [],
  argsEscaped: false,
};

/** A config that says all it can. */
const FULL = {
  created: "2015-10-31T22:22:56.015925234Z",
  author: "Alyssa P. Hacker <alyspdev@example.com>",
  architecture: "arm64",
  os: "linux",
  variant: "v8",
  "os.version": "6.1",
  "os.features": ["a", "b"],
  config: {
    User: "alice:staff",
    ExposedPorts: { "8080/tcp": {}, "53/udp": null },
    Env: ["PATH=/bin", "EMPTY=", "TWO=a=b"],
    Entrypoint: ["/bin/app"],
    Cmd: ["--flag", ""],
    Volumes: { "/var/data": {}, "/var/log": {} },
    WorkingDir: "/home/alice",
    Labels: { "com.example": "1", empty: "" },
    StopSignal: "SIGRTMIN+3",
    ArgsEscaped: true,
    Healthcheck: {
      Test: ["CMD", "true"],
      Interval: 30_000_000_000,
      Timeout: 1_000_000,
      StartPeriod: 0,
      StartInterval: 5_000_000_000,
      Retries: 3,
    },
    Shell: ["/bin/bash", "-c"],
    OnBuild: ["RUN true"],
    Memory: 1,
    Hostname: "x",
  },
  rootfs: { type: "layers", diff_ids: [EMPTY_DIGEST, EMPTY_DIGEST] },
  history: [
    { created: "2015-10-31T22:22:54Z", author: "a", created_by: "b", comment: "c" },
    { created_by: "ENV x", empty_layer: true },
    { empty_layer: false },
  ],
  container: "docker puts this here",
};

/** The same, parsed. */
const FULL_PARSED = {
  os: "linux",
  architecture: "arm64",
  variant: "v8",
  osVersion: "6.1",
  osFeatures: ["a", "b"],
  created: "2015-10-31T22:22:56.015925234Z",
  author: "Alyssa P. Hacker <alyspdev@example.com>",
  config: {
    user: "alice:staff",
    exposedPorts: ["8080/tcp", "53/udp"],
    env: ["PATH=/bin", "EMPTY=", "TWO=a=b"],
    entrypoint: ["/bin/app"],
    cmd: ["--flag", ""],
    volumes: ["/var/data", "/var/log"],
    workingDir: "/home/alice",
    labels: { "com.example": "1", empty: "" },
    stopSignal: "SIGRTMIN+3",
    healthcheck: {
      test: ["CMD", "true"],
      interval: 30_000_000_000,
      timeout: 1_000_000,
      startPeriod: 0,
      startInterval: 5_000_000_000,
      retries: 3,
    },
    shell: ["/bin/bash", "-c"],
    onBuild: ["RUN true"],
    argsEscaped: true,
  },
  rootfs: { type: "layers", diffIds: [EMPTY_DIGEST, EMPTY_DIGEST] },
  history: [
    {
      created: "2015-10-31T22:22:54Z",
      author: "a",
      createdBy: "b",
      comment: "c",
      emptyLayer: false,
    },
    { createdBy: "ENV x", emptyLayer: true },
    { emptyLayer: false },
  ],
};

Deno.test("a config with every member", () => {
  const parsed: unknown = parseConfig(bytes(FULL));
  const expected: unknown = FULL_PARSED;
  assertEquals(parsed, expected);
});

Deno.test("the least that a config says", () => {
  const least: unknown = parse({ config: undefined });
  assertEquals(least, {
    os: "linux",
    architecture: "amd64",
    config: NOTHING,
    rootfs: { type: "layers", diffIds: [EMPTY_DIGEST] },
    history: [],
  });
});

Deno.test("null counts as absent for every optional member", () => {
  const members = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "OnBuild",
    "ArgsEscaped",
  ];
  const nulls = Object.fromEntries(members.map((name) => [name, null]));
  const parsed: unknown = parseConfig(bytes(config({
    created: null,
    author: null,
    variant: null,
    "os.version": null,
    "os.features": null,
    history: null,
    config: nulls,
  })));
  const least: unknown = parse({ config: null });
  assertEquals(parsed, least);
  const entry: unknown = parse({
    history: [{ created: null, author: null, created_by: null, comment: null, empty_layer: null }],
  }).history[0];
  assertEquals(entry, { emptyLayer: false });
  const check: unknown = run({ Healthcheck: { Test: null, Interval: null } }).healthcheck;
  assertEquals(check, { test: [] });
});

Deno.test("commands given as one string are for the shell", () => {
  assertEquals(run({ Cmd: "echo $HOME" }).cmd, ["/bin/sh", "-c", "echo $HOME"]);
  assertEquals(run({ Entrypoint: "exec x" }).entrypoint, ["/bin/sh", "-c", "exec x"]);
  assertEquals(run({ Entrypoint: "", Cmd: "" }).entrypoint, []);
  assertEquals(run({ Healthcheck: { Test: "curl -f x" } }).healthcheck?.test, [
    "CMD-SHELL",
    "curl -f x",
  ]);
});

Deno.test("labels named like members of every object are only labels", () => {
  const text = '{"Labels":{"__proto__":"x","constructor":"y"}}';
  const { labels } = parseConfig(bytes(
    `{"os":"linux","architecture":"amd64","config":${text},` +
      `"rootfs":{"type":"layers","diff_ids":[]}}`,
  )).config;
  assertEquals(Object.entries(labels), [["__proto__", "x"], ["constructor", "y"]]);
});

Deno.test("diffIDs of unknown algorithms are kept", () => {
  const diffId = "md5:d41d8cd98f00b204e9800998ecf8427e";
  const kept: string | undefined =
    parse({ rootfs: { type: "layers", diff_ids: [diffId] } }).rootfs.diffIds[0];
  assertEquals(kept, diffId);
});

const rootfs = (more: Json): ImageConfig =>
  parse({ rootfs: { type: "layers", diff_ids: [EMPTY_DIGEST], ...more } });

const rejections: readonly Rejection[] = [
  ["an array", () => parseConfig(bytes([])), "Cannot read config: it is []"],
  ["no architecture", () => parse({ architecture: undefined }), "architecture is missing"],
  ["architecture empty", () => parse({ architecture: "" }), 'architecture is ""'],
  ["architecture null", () => parse({ architecture: null }), "architecture is null"],
  ["no os", () => parse({ os: undefined }), "os is missing"],
  ["os a number", () => parse({ os: 1 }), "os is 1, not a string"],
  ["variant a number", () => parse({ variant: 8 }), "variant is 8"],
  ["os.features a string", () => parse({ "os.features": "a" }), '["os.features"] is "a"'],
  ["created no date", () => parse({ created: "yesterday" }), 'created is "yesterday", not a date'],
  ["created empty", () => parse({ created: "" }), 'created is ""'],
  ["created a number", () => parse({ created: 0 }), "created is 0"],
  ["author an array", () => parse({ author: [] }), "author is []"],
  ["config an array", () => parse({ config: [] }), "config is [], not an object"],
  ["User a number", () => run({ User: 0 }), "config.User is 0, not a string"],
  ["User with NUL", () => run({ User: "a\0b" }), "config.User is", "without NUL"],
  ["ExposedPorts an array", () => run({ ExposedPorts: ["80"] }), "config.ExposedPorts is"],
  ["Env a map", () => run({ Env: { A: "b" } }), "config.Env is", "not an array"],
  ["Env of numbers", () => run({ Env: ["A=b", 1] }), "config.Env[1] is 1, not a string"],
  ["Env without value", () => run({ Env: ["A=b", "B"] }), 'config.Env[1] is "B", not NAME=VALUE'],
  ["Env without name", () => run({ Env: ["=b"] }), 'config.Env[0] is "=b"'],
  ["Env with NUL", () => run({ Env: ["A=\0"] }), "config.Env[0] is", "free of NUL"],
  ["Entrypoint a number", () => run({ Entrypoint: 1 }), "config.Entrypoint is 1, not an array"],
  ["Cmd of numbers", () => run({ Cmd: [1] }), "config.Cmd[0] is 1"],
  ["Cmd with NUL", () => run({ Cmd: ["a", "\0"] }), "config.Cmd[1] is"],
  ["Cmd as string with NUL", () => run({ Cmd: "a\0" }), "config.Cmd is"],
  ["Volumes an array", () => run({ Volumes: ["/a"] }), "config.Volumes is"],
  ["a volume without path", () => run({ Volumes: { "": {} } }), 'config.Volumes is "", not a path'],
  ["a volume with NUL", () => run({ Volumes: { "/a\0": {} } }), "not a path"],
  ["WorkingDir an array", () => run({ WorkingDir: ["/"] }), "config.WorkingDir is"],
  ["Labels an array", () => run({ Labels: ["a=b"] }), "config.Labels is"],
  ["a label that is a number", () => run({ Labels: { a: 1 } }), "config.Labels.a is 1"],
  ["StopSignal a number", () => run({ StopSignal: 15 }), "config.StopSignal is 15"],
  ["Healthcheck a string", () => run({ Healthcheck: "x" }), "config.Healthcheck is"],
  ["Healthcheck.Test a number", () => run({ Healthcheck: { Test: 1 } }), "Healthcheck.Test is 1"],
  [
    "Healthcheck.Interval a string",
    () => run({ Healthcheck: { Interval: "30s" } }),
    'config.Healthcheck.Interval is "30s", not a whole number',
  ],
  [
    "Healthcheck.Retries a fraction",
    () => run({ Healthcheck: { Retries: 1.5 } }),
    "config.Healthcheck.Retries is 1.5",
  ],
  ["Shell a string", () => run({ Shell: "/bin/sh" }), "config.Shell is"],
  ["ArgsEscaped a string", () => run({ ArgsEscaped: "true" }), "config.ArgsEscaped is"],
  ["no rootfs", () => parse({ rootfs: undefined }), "rootfs is missing"],
  ["no rootfs.type", () => rootfs({ type: undefined }), "rootfs.type is missing"],
  ["rootfs.type weird", () => rootfs({ type: "weird" }), 'rootfs.type is "weird", not "layers"'],
  ["no diff_ids", () => rootfs({ diff_ids: undefined }), "rootfs.diff_ids is missing"],
  ["diff_ids null", () => rootfs({ diff_ids: null }), "rootfs.diff_ids is null"],
  ["diff_ids a string", () => rootfs({ diff_ids: EMPTY_DIGEST }), "rootfs.diff_ids is"],
  [
    "a diffID in uppercase",
    () => rootfs({ diff_ids: [EMPTY_DIGEST, `sha256:${"A".repeat(64)}`] }),
    'rootfs.diff_ids[1] is "sha256:AAAA',
  ],
  ["a diffID that is null", () => rootfs({ diff_ids: [null] }), "rootfs.diff_ids[0] is null"],
  ["history an object", () => parse({ history: {} }), "history is {}, not an array"],
  ["a history entry that is null", () => parse({ history: [null] }), "history[0] is null"],
  ["history date", () => parse({ history: [{ created: "x" }] }), 'history[0].created is "x"'],
  [
    "empty_layer a string",
    () => parse({ history: [{ empty_layer: "no" }] }),
    "history[0].empty_layer is",
  ],
  ["history too long", () => parse({ history: [{}, {}] }), "history tells of 2 layers", "has 1"],
  [
    "history too short",
    () => parse({ history: [{ empty_layer: true }] }),
    "history tells of 0 layers, rootfs.diff_ids has 1",
  ],
];
testRejections("a config", "image-invalid", rejections);

Deno.test("manifest and config must agree on the number of layers", () => {
  checkLayerCount(parse(), 1);
  for (const layers of [0, 2]) {
    const error = assertThrows(
      () => checkLayerCount(parse(), layers),
      LayerfsError,
      `rootfs.diff_ids has 1 entries, the manifest ${layers} layers`,
    );
    assertEquals(error.code, "image-invalid");
  }
});
