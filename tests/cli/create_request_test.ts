import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Context } from "../../src/cli/context.ts";
import { createOutcome, createRequest } from "../../src/cli/create_request.ts";
import { parse } from "../../src/cli/parse.ts";
import { createStyle } from "../../src/cli/style.ts";
import { NO_OVERRIDES } from "../../src/container/overrides.ts";
import { LayerfsError } from "../../src/errors.ts";
import { FakeIo } from "./fake_io.ts";

type CreateValues = Parameters<typeof createRequest>[0]["values"];

const STORE = { store: "/store", driver: "auto", engine: "wasm" } as const;

/** The request that a command line of `create` makes. */
function request(args: string[], variables: Record<string, string> = {}) {
  const parsed = parse(["create", ...args]);
  assert(parsed.kind === "command");
  const io = new FakeIo();
  io.variables = variables;
  const context: Context = {
    io,
    globals: parsed.globals,
    style: createStyle(false),
    signal: new AbortController().signal,
    onWarning: () => {},
    store: () => STORE,
  };
  const input = { values: parsed.values as CreateValues, operands: parsed.operands };
  const { signal, registry, ...rest } = createRequest(input, context, "/here");
  // Nothing is looked up before a registry is reached.
  assert(registry !== undefined);
  assert(!io.asked.includes("REGISTRY_AUTH_FILE"));
  assertEquals(signal, context.signal);
  return rest;
}

/** The message of a line that is refused. */
function refused(...args: string[]): string {
  const error = assertThrows(() => request(args), LayerfsError);
  assertEquals(error.code, "usage");
  return error.message;
}

Deno.test("an image alone changes nothing of it", () => {
  assertEquals(request(["oci:x"]), {
    ...STORE,
    image: "oci:x",
    keepBlobs: false,
    overrides: NO_OVERRIDES,
    command: [],
  });
});

Deno.test("every option finds its place", () => {
  const { overrides, ...rest } = request([
    ...["--name=web", "--bundle=/b", "--platform=linux/arm64", "--fallback=/tree"],
    ...["--entrypoint", '["/bin/sh","-e"]', "--workdir=/w", "--user=me:us", "--hostname=h"],
    ...["--label=a=1", "--label=b=2=3", "--annotation=c=d", "--volume=../etc:/v:ro"],
    ...["--tmpfs=/t:size=1m", "--read-only", "--tty", "--memory=512m", "--cpus=1.5"],
    ...["--pids-limit=-1", "--quota=2g", "--cap-add=net_raw", "--cap-drop=ALL"],
    ...["--pull=never", "--keep-blobs", "--network=host", "oci:x", "run", "--fast"],
  ]);
  assertEquals(rest, {
    ...STORE,
    image: "oci:x",
    name: "web",
    bundle: "/b",
    platform: "linux/arm64",
    fallback: "/tree",
    pull: "never",
    keepBlobs: true,
    command: ["run", "--fast"],
  });
  assertEquals(overrides, {
    entrypoint: ["/bin/sh", "-e"],
    env: [],
    workdir: "/w",
    user: "me:us",
    hostname: "h",
    labels: { a: "1", b: "2=3" },
    annotations: { c: "d" },
    volumes: [{ source: "/etc", destination: "/v", readonly: true }],
    tmpfs: [{ destination: "/t", options: ["size=1m"] }],
    readonly: true,
    tty: true,
    memory: 512 * 2 ** 20,
    cpus: 1.5,
    pidsLimit: -1,
    quota: 2 * 2 ** 30,
    capAdd: ["CAP_NET_RAW"],
    capDrop: ["ALL"],
    network: "host",
  });
});

Deno.test("variables come from files, from options and from our environment, in this order", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, '# comment\n\n  A=file\nB="quoted" \nTAKEN\nABSENT\n');
  try {
    const args = ["--env", "A=option", "--env-file", file, "--env=HERE", "--env=ABSENT", "oci:x"];
    const { overrides } = request(args, { TAKEN: "t", HERE: "h" });
    assertEquals(overrides.env, ["A=file", 'B="quoted" ', "TAKEN=t", "A=option", "HERE=h"]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a file of variables must be there, and be UTF-8", async () => {
  const missing = assertThrows(() => request(["--env-file=/no/such", "oci:x"]), LayerfsError);
  assertEquals(missing.code, "not-found");
  assertStringIncludes(missing.message, 'Cannot read --env-file "/no/such"');
  const file = await Deno.makeTempFile();
  await Deno.writeFile(file, new Uint8Array([0x41, 0x3d, 0xff]));
  assertStringIncludes(refused("--env-file", file, "oci:x"), "not UTF-8");
  await Deno.remove(file);
});

Deno.test("with --rootfs all operands are the command", () => {
  const made = request(["--rootfs", "tree.tar", "/bin/sh", "-l"]);
  assertEquals([made.rootfs, made.image, made.command], ["tree.tar", undefined, ["/bin/sh", "-l"]]);
});

Deno.test("an image or a root filesystem there must be, and no contradiction", () => {
  assertStringIncludes(refused(), "no IMAGE is given");
  assertStringIncludes(refused(""), "no IMAGE is given");
  assertStringIncludes(refused("--fallback=/a", "--rootfs=/b"), "--fallback with --rootfs");
});

Deno.test("values that cannot be read are usage errors that name the option", () => {
  const bad: Record<string, string> = {
    "--memory": "lots",
    "--cpus": "-1",
    "--pids-limit": "0",
    "--quota": "1x",
    "--volume": "/a",
    "--tmpfs": "relative",
    "--entrypoint": "[1]",
    "--label": "=x",
    "--annotation": "=x",
    "--env": "=x",
    "--hostname": "a/b",
    "--workdir": "relative",
    "--cap-add": "NO_SUCH",
    "--cap-drop": "NO_SUCH",
  };
  for (const [option, value] of Object.entries(bad)) {
    assertStringIncludes(refused(`${option}=${value}`, "oci:x"), `Cannot use ${option} "${value}"`);
  }
});

Deno.test("a volume that the host does not have is told of before the image is looked for", () => {
  const args = ["--volume=/no/such:/v", "oci:no-such-image"];
  const error = assertThrows(() => request(args), LayerfsError, 'no "/no/such" on the host');
  assertEquals(error.code, "not-found");
});

Deno.test("a result is the bundle's path for scripts, and a remark for people", () => {
  const outcome = createOutcome({
    id: "web",
    bundle: "/store/containers/web",
    rootfs: "/store/containers/web/rootfs",
    driver: "directory",
    source: "rootfs",
    image: null,
    layers: { total: 1, reused: 0, applied: 1 },
    bytes: { compressed: 10, uncompressed: 2_000_000 },
    durationMs: 1500,
    warnings: ["w"],
  });
  assertEquals(outcome.text, "/store/containers/web\n");
  assertEquals(outcome.remark, "container web from rootfs, 2 MB, directory driver, 1.50 s");
  assertEquals(outcome.warnings, ["w"]);
});
