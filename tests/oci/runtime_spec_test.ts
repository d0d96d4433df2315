import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { convert, type ConvertedConfig, withDefaultEnv } from "../../src/oci/runtime_spec.ts";
import { bytes, config, type Json, type Rejection, testRejections } from "./documents.ts";

const converted = (run: Json, more: Json = {}): ConvertedConfig =>
  convert(parseConfig(bytes(config(more, { Cmd: ["x"], ...run }))));
const annotations = (run: Json, more: Json = {}): Readonly<Record<string, string>> =>
  converted(run, more).annotations;

const IMAGE = "org.opencontainers.image";
const LEAST = { [`${IMAGE}.os`]: "linux", [`${IMAGE}.architecture`]: "amd64" };

Deno.test("conversion 1: WorkingDir becomes cwd, / where there is none", () => {
  assertEquals(converted({ WorkingDir: "/srv/a b/" }).cwd, "/srv/a b/");
  assertEquals(converted({ WorkingDir: "" }).cwd, "/");
  assertEquals(converted({}).cwd, "/");
  assertEquals(converted({ WorkingDir: "/proc" }).cwd, "/proc");
  assertEquals(converted({ WorkingDir: "/process/self" }).cwd, "/process/self");
});

Deno.test("conversion 2: Env is taken verbatim; what is added takes no name of it", () => {
  const env = ["PATH=/x", "A=1", "A=2", "EMPTY="];
  assertEquals(converted({ Env: env }).env, env);
  assertEquals(withDefaultEnv(env, "PATH", "/bin"), env);
  assertEquals(withDefaultEnv(env, "EMPTY", "x"), env);
  assertEquals(withDefaultEnv(env, "PAT", "x"), [...env, "PAT=x"]);
});

Deno.test("conversion 3: args are Entrypoint, then Cmd", () => {
  assertEquals(converted({ Entrypoint: ["a", "b"], Cmd: ["c", ""] }).args, ["a", "b", "c", ""]);
  assertEquals(converted({ Entrypoint: ["a"], Cmd: null }).args, ["a"]);
  assertEquals(converted({ Cmd: ["c"] }).args, ["c"]);
  assertEquals(converted({ Entrypoint: "run", Cmd: null }).args, ["/bin/sh", "-c", "run"]);
});

Deno.test("conversion 4: annotations for what the config says, none for the rest", () => {
  assertEquals(annotations({}), LEAST);
  assertEquals(
    annotations({ StopSignal: "SIGINT" }, {
      variant: "v3",
      "os.version": "6.1",
      "os.features": ["a", "b"],
      author: "me",
      created: "0001-01-01T00:00:00Z",
    }),
    {
      ...LEAST,
      [`${IMAGE}.variant`]: "v3",
      [`${IMAGE}.os.version`]: "6.1",
      [`${IMAGE}.os.features`]: "a,b",
      [`${IMAGE}.author`]: "me",
      [`${IMAGE}.created`]: "0001-01-01T00:00:00Z",
      [`${IMAGE}.stopSignal`]: "SIGINT",
    },
  );
  assertEquals(
    annotations({ StopSignal: "" }, { author: "", variant: "", "os.features": [] }),
    LEAST,
  );
});

Deno.test("conversion 5: labels become annotations, and win", () => {
  assertEquals(
    annotations({
      Labels: { "com.example": "", [`${IMAGE}.os`]: "mine", [`${IMAGE}.exposedPorts`]: "none" },
      ExposedPorts: { "80": {} },
    }),
    {
      ...LEAST,
      [`${IMAGE}.os`]: "mine",
      [`${IMAGE}.exposedPorts`]: "none",
      "com.example": "",
    },
  );
});

Deno.test("conversion 5: a label named __proto__ changes no prototype", () => {
  const parsed = parseConfig(bytes(
    '{"os":"linux","architecture":"amd64","config":{"Cmd":["x"],"Labels":{"__proto__":"y"}},' +
      '"rootfs":{"type":"layers","diff_ids":[]}}',
  ));
  assertEquals(Object.entries(convert(parsed).annotations).at(-1), ["__proto__", "y"]);
});

Deno.test("conversion 6: exposed ports are joined by commas", () => {
  assertEquals(
    annotations({ ExposedPorts: { "8080/tcp": {}, "53/udp": {}, "80": {} } })[
      `${IMAGE}.exposedPorts`
    ]?.split(",").sort(),
    ["53/udp", "80", "8080/tcp"],
  );
});

Deno.test("conversion 7 to 10: the user is handed on as it is", () => {
  assertEquals(converted({ User: "1000:staff" }).user, "1000:staff");
  assertEquals(converted({}).user, "");
});

Deno.test("conversion 11: volumes are handed on", () => {
  assertEquals(converted({ Volumes: { "/a": {}, "/b/c": {} } }).volumes, ["/a", "/b/c"]);
});

Deno.test("Docker's health check goes into an annotation", () => {
  const text = annotations({
    Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000, Retries: 2 },
  })["org.layerfs.healthcheck"];
  assertEquals(JSON.parse(text ?? ""), {
    test: ["CMD-SHELL", "true"],
    interval: 5_000_000_000,
    retries: 2,
  });
});

const rejections: readonly Rejection[] = [
  ["no command", () => converted({ Cmd: null }), "it names no command"],
  ["an empty command", () => converted({ Cmd: [""] }), "it names no command"],
  ["a relative WorkingDir", () => converted({ WorkingDir: "srv" }), '"srv" is not an absolute'],
  [
    "a WorkingDir that is a leaked descriptor (CVE-2024-21626)",
    () => converted({ WorkingDir: "/proc/self/fd/7/../.." }),
    "is inside /proc",
  ],
  [
    "the same in disguise",
    () => converted({ WorkingDir: "//a/../../proc/./thread-self/fd/8" }),
    "is inside /proc",
  ],
];
testRejections("an image to run", "image-invalid", rejections);

Deno.test("a refused WorkingDir is named with the way out", () => {
  assertThrows(() => converted({ WorkingDir: "x" }), LayerfsError, "--workdir");
});
