/** The command line as a process, with the named permissions of deno.json and nothing else. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { COMMAND_NAMES } from "../../src/cli/specs.ts";
import { writeHelloLayout } from "../../src/hello/hello_image.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs mod.ts under `flags`. */
async function layerfs(flags: readonly string[], args: readonly string[], cwd?: string) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--config",
      `${ROOT}deno.json`,
      ...flags,
      `${ROOT}mod.ts`,
      ...args,
    ],
    stdin: "null",
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Calls `use` in a directory with the hello image in it. */
async function withHello(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await writeHelloLayout(`${directory}/hello`);
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("every command that touches files has its named permissions, and no other is named", () => {
  const named = Object.keys(config.permissions);
  assertEquals(named, COMMAND_NAMES.filter((name) => name !== "completions"));
});

/** Commands that may reach a registry, whose host nobody knows before. */
const REACHING = new Set(
  [
    "create",
    "run",
    "mount",
    "unmount",
    "diff",
    "commit",
    "rebase",
    "pull",
    "push",
    "copy",
    "login",
  ],
).union(new Set(["squash", "inspect", "validate"]));

Deno.test("no permission lets any program run, or a command reach a network that has none to reach", () => {
  for (const [name, set] of Object.entries(config.permissions)) {
    for (const key of Object.keys(set)) assert(/^(read|write|net|run|sys|env)$/.test(key), name);
    assertEquals("net" in set, REACHING.has(name), name);
    assert(!("run" in set) || Array.isArray(set.run), name);
    assert(!("env" in set) || Array.isArray(set.env), name);
  }
  for (const [name, { command }] of Object.entries(config.tasks)) {
    assert(!/ (-A|--allow-all|--allow-run)( |$)/.test(command), name);
    const isProgram = ["layerfs", "install", "compile"].includes(name);
    assertEquals(/ --allow-net( |$)/.test(command), isProgram, name);
  }
});

/** The credential helpers of a list of programs. */
const helpersIn = (programs: readonly string[]) =>
  programs.filter((name) => name.startsWith("docker-credential-"));

/** The programs that a task lets run. */
const programsOf = (command: string) => /--allow-run=(\S+)/.exec(command)?.[1]?.split(",") ?? [];

Deno.test("whatever reaches a registry may run the credential helpers, and nothing else may", () => {
  const { layerfs, install, compile, demo } = config.tasks;
  const helpers = helpersIn(programsOf(layerfs.command));
  assertEquals(helpers.length, 9);
  for (const { command } of [install, compile]) {
    assertEquals(helpersIn(programsOf(command)), helpers);
  }
  assertEquals(helpersIn(programsOf(demo.command)), []);
  // Deno would tell of every one that this machine has not, each time.
  for (const { command } of [layerfs, install, compile]) assert(/ --quiet /.test(command), command);
  for (const [name, set] of Object.entries(config.permissions)) {
    const found = "run" in set ? helpersIn(set.run) : [];
    assertEquals(found, REACHING.has(name) || name === "logout" ? helpers : [], name);
  }
});

Deno.test("the named permissions are enough for their commands", () =>
  withHello(async (directory) => {
    const run = async (name: string, ...args: string[]) => {
      const all = ["--json", "--store", "store", "--driver", "directory", name, ...args];
      const { code, stdout, stderr } = await layerfs([`-P=${name}`], all, directory);
      assertEquals([name, code, stdout.slice(0, code)], [name, 0, ""], stdout + stderr);
      return JSON.parse(stdout);
    };
    const made = await run("create", "--name=web", "oci:hello");
    assertEquals([made.id, made.source], ["web", "image"]);
    assertEquals(made.bundle, `${await Deno.realPath(directory)}/store/containers/web`);
    const [row, ...more] = await run("ps");
    assertEquals([row.id, row.image, more.length], ["web", "oci:hello", 0]);
    assertEquals((await run("inspect", "web")).bundle, made.bundle);
    assertEquals((await run("inspect", "oci:hello")).configDigest, made.image.configDigest);
    assertEquals((await run("info")).containers, 1);
    assertEquals((await run("validate", "oci:hello")).valid, true);
    const pulled = await run("pull", "oci:hello", "--as=hello");
    assertEquals(await run("tag", "hello", "other:1"), { tagged: "other:1" });
    assertEquals((await run("validate", "other:1")).valid, true);
    const copied = await run("copy", "other:1", "oci-archive:copy.tar");
    assertEquals([copied.digest, copied.copied.blobs], [pulled.digest, 3]);
    const pushed = await run("push", "hello", "oci:pushed:1");
    assertEquals([pushed.digest, pushed.copied.blobs], [pulled.digest, 3]);
    const authfile = "--authfile=auth.json";
    assertEquals((await run("logout", authfile, "localhost:5")).removed, []);
    assertEquals(await run("rm", "web"), { removed: ["web"] });
    assertEquals(await run("ps"), []);
  }));

Deno.test("a permission that is missing is named with its flag, and the exit status is 6", () =>
  withHello(async (directory) => {
    const denied = async (flags: string[], ...args: string[]) => {
      const { code, stdout } = await layerfs(flags, ["--json", ...args], directory);
      assertEquals(code, 6, stdout);
      const { error } = JSON.parse(stdout);
      assertEquals(error.code, "permission-missing");
      assertStringIncludes(error.message, error.flag);
      return error.flag;
    };
    const env = "LAYERFS_STORE,LAYERFS_DRIVER,LAYERFS_DATASET";
    assertEquals(await denied([], "ps"), `--allow-env=${env}`);
    assertEquals(await denied([`--allow-env=${env}`], "ps"), "--allow-sys=uid");
    const reads = await denied([`--allow-env=${env}`, "--allow-sys=uid"], "--store=s", "ps");
    assert(/^--allow-read=.*\/s/.test(reads), reads);
    const create = ["--store=s", "--driver=directory", "create", "--bundle=b", "oci:hello"];
    const scoped = [`--allow-env=${env}`, "--allow-sys", "--allow-read=.", "--allow-write=."];
    assertEquals(await denied(scoped, ...create), "--allow-read --allow-write");
    const nothing = [`--allow-env=${env}`];
    const all = "--allow-read --allow-write --allow-sys=uid";
    assertEquals(await denied(nothing, ...create), all);
    const variable = [`--allow-env=${env}`, "--allow-sys=uid", "--allow-read", "--allow-write"];
    assertEquals(
      await denied(variable, "create", "--env=LAYERFS_NO_SUCH", "oci:hello"),
      "--allow-env=LAYERFS_NO_SUCH",
    );
    const registry = ["inspect", "docker://localhost:5/x"];
    assert((await denied([], ...registry)).startsWith("--allow-env=HOME,XDG_CONFIG_HOME"));
    const local = ["--allow-env", "--allow-sys=uid", "--allow-read"];
    assertEquals(await denied(local, ...registry), "--allow-net=localhost:5");
  }));

Deno.test("help and version need no permission at all", async () => {
  assertEquals((await layerfs([], ["--version"])).stdout, `layerfs ${config.version}\n`);
  assertEquals((await layerfs([], ["create", "--help"])).code, 0);
  assertEquals((await layerfs([], ["completions", "zsh"])).code, 0);
});
