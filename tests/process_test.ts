import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { LayerfsError } from "../src/errors.ts";
import { check, run, runSync } from "../src/process.ts";

const HARNESS = new URL("./process_harness.ts", import.meta.url).pathname;

/** Runs tests/process_harness.ts in a Deno of its own, so that flags and signals are its own. */
function harness(flags: string[], args: string[], env: Record<string, string> = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...flags, HARNESS, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function text(child: Deno.ChildProcess): Promise<string> {
  return new TextDecoder().decode((await child.output()).stdout);
}

Deno.test("run collects output, error output and status", async () => {
  const result = await run("sh", ["-c", "echo out; echo err >&2; exit 3"]);
  assertEquals(result.code, 3);
  assertEquals(result.stdout, "out\n");
  assertEquals(result.stderr, "err\n");
});

Deno.test("run passes arguments as they are, with no shell in between", async () => {
  const args = ["a b", "$HOME", "`id`", "'", '"', "*", "", "\n"];
  const { stdout } = await run("sh", ["-c", 'printf "%s|" "$@"', "sh", ...args]);
  assertEquals(stdout, args.map((arg) => `${arg}|`).join(""));
});

Deno.test("run keeps bytes that are not UTF-8", async () => {
  const { bytes } = await run("sh", ["-c", "printf '\\377\\0\\376'"]);
  assertEquals([...bytes], [0xff, 0x00, 0xfe]);
});

Deno.test("run feeds bytes larger than a pipe through the program", async () => {
  const bytes = new Uint8Array(3_000_000).map((_, i) => i * 7 + (i >> 8));
  const result = await run("cat", [], { stdin: bytes });
  assertEquals(result.bytes.length, bytes.length);
  assert(result.bytes.every((byte, i) => byte === bytes[i]));
});

Deno.test("run feeds a stream", async () => {
  const parts = ReadableStream.from([new Uint8Array([104]), new Uint8Array([105])]);
  assertEquals((await run("cat", [], { stdin: parts })).stdout, "hi");
});

Deno.test("a program that fails without reading its input is judged by its status", async () => {
  const result = await run("sh", ["-c", "echo no >&2; exit 9"], { stdin: new Uint8Array(1 << 22) });
  assertEquals([result.code, result.stderr], [9, "no\n"]);
});

Deno.test("a stream that fails is the error of the run", async () => {
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new RangeError("source broke")),
  });
  await assertRejects(() => run("cat", [], { stdin: broken }), RangeError, "source broke");
});

Deno.test("run has no standard input unless it is given one", async () => {
  assertEquals((await run("cat", [])).stdout, "");
});

Deno.test("run speaks the C locale, and takes a directory and variables", async () => {
  const cwd = await Deno.realPath(await Deno.makeTempDir());
  try {
    const { stdout } = await run("sh", ["-c", 'echo "$LC_ALL $X"; pwd'], { cwd, env: { X: "y" } });
    assertEquals(stdout, `C y\n${cwd}\n`);
  } finally {
    await Deno.remove(cwd);
  }
});

Deno.test("a program ended by a signal has status 128 and the signal's number", async () => {
  assertEquals((await run("sh", ["-c", "kill -KILL $$"])).code, 137);
});

Deno.test("input that a program leaves is an error, unless it may be left", async () => {
  const stdin = new Uint8Array(1 << 20); // more than a pipe holds
  await assertRejects(() => run("sh", ["-c", "exit 0"], { stdin }), Deno.errors.BrokenPipe);
  const result = await run("sh", ["-c", "echo done"], { stdin, mayLeaveInput: true });
  assertEquals([result.code, result.stdout], [0, "done\n"]);
});

Deno.test("runSync collects the same as run", async () => {
  const args = ["-c", 'echo "out $LC_ALL"; echo err >&2; exit 3'];
  assertEquals(runSync("sh", args), await run("sh", args));
});

Deno.test("an aborted run ends the program and is interrupted", async () => {
  const abort = new AbortController();
  const started = performance.now();
  const running = run("sh", ["-c", "exec sleep 60"], { signal: abort.signal });
  setTimeout(() => abort.abort(), 50);
  const error = await assertRejects(() => running, LayerfsError);
  assertEquals(error.code, "interrupted");
  assert(performance.now() - started < 30_000);
});

Deno.test("a run whose signal has aborted before is not started", async () => {
  const file = await Deno.makeTempFile();
  const signal = AbortSignal.abort();
  await assertRejects(() => run("sh", ["-c", `echo x > ${file}`], { signal }), LayerfsError);
  assertEquals(await Deno.readTextFile(file), "");
  await Deno.remove(file);
});

Deno.test("check passes success on and explains failure", async () => {
  const good = await run("sh", ["-c", "true"]);
  assertEquals(check(good, "Cannot be"), good);
  const bad = await run("sh", ["-c", "echo ' pool is full ' >&2; exit 2"]);
  const error = assertThrows(() => check(bad, 'Cannot make "x"', "storage-full"), LayerfsError);
  assertEquals(error.message, 'Cannot make "x": sh ended with status 2: pool is full');
  assertEquals(error.code, "storage-full");
  assertEquals(error.data, { program: "sh", status: 2, stderr: "pool is full" });
});

Deno.test("check tells a full disk from other faults of it, and says only the first of many lines", async () => {
  const full = 'for i in 1 2 3 4 5; do echo "cp: $i: No space left on device" >&2; done; exit 1';
  const bad = await run("sh", ["-c", full]);
  const error = assertThrows(() => check(bad, "Cannot copy", "storage"), LayerfsError);
  assertEquals(error.code, "storage-full");
  const lines = [1, 2, 3].map((i) => `cp: ${i}: No space left on device`);
  assertStringIncludes(error.message, `status 1: ${lines.join("; ")}; and 2 more lines`);
  const busy = assertThrows(() => check(bad, "Cannot copy", "busy"), LayerfsError);
  assertEquals(busy.code, "busy");
  const other = await run("sh", ["-c", "echo 'cp: Input/output error' >&2; exit 1"]);
  const broken = assertThrows(() => check(other, "Cannot copy", "storage"), LayerfsError);
  assertEquals(broken.code, "storage");
});

Deno.test("a missing directory to run in is said to be that", async () => {
  const error = await assertRejects(() => run("sh", [], { cwd: "/no/where" }), LayerfsError);
  assertEquals(error.code, "not-found");
  assertStringIncludes(error.message, 'no directory "/no/where"');
});

Deno.test("a missing program names the package that brings it", async () => {
  const path = await Deno.makeTempDir();
  const flags = ["--allow-run=runc,no-such-program"];
  const runc = JSON.parse(await text(harness(flags, ["run", "runc"], { PATH: path })));
  assertEquals(runc.error.code, "program-missing");
  assertEquals(runc.error.package, "runc");
  assertStringIncludes(runc.error.message, "apt install runc");
  const other = JSON.parse(await text(harness(flags, ["run", "no-such-program"], { PATH: path })));
  assertEquals(other.error.message, 'Cannot run "no-such-program": no such program');
  await Deno.remove(path);
});

Deno.test("a program that Deno may not run names the flag", async () => {
  const { error } = JSON.parse(await text(harness(["--allow-run=cat"], ["run", "sh"])));
  assertEquals([error.code, error.flag], ["permission-missing", "--allow-run=sh"]);
});

Deno.test("a loader variable that Deno refuses is named", async () => {
  // Set by a shell in between: this Deno would refuse it, too.
  const script = 'LD_LIBRARY_PATH=/nowhere exec "$0" run --no-prompt --allow-run=cat "$1" run cat';
  const { stdout } = await run("sh", ["-c", script, Deno.execPath(), HARNESS]);
  const { error } = JSON.parse(stdout);
  assertEquals([error.code, error.flag], ["permission-missing", "--allow-run"]);
  assertStringIncludes(error.message, "LD_LIBRARY_PATH is set; unset it");
});

Deno.test("a file that is not executable is a lack of privilege", async () => {
  const file = await Deno.makeTempFile();
  const { error } = JSON.parse(await text(harness(["--allow-run"], ["run", file])));
  assertEquals(error.code, "privilege-missing");
  await Deno.remove(file);
});

Deno.test("an inherited program writes to our own output, and its status is ours", async () => {
  const output = await harness(["--allow-run=sh"], ["inherit", "sh", "-c", "echo here; exit 7"])
    .output();
  assertEquals(new TextDecoder().decode(output.stdout), "here\n7\n");
});

Deno.test("signals reach an inherited program", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
    const trap = `trap 'echo got ${signal}; exit 5' ${signal.slice(3)}; echo ready; ` +
      "while :; do sleep 0.05; done";
    const child = harness(["--allow-run=sh"], ["inherit", "sh", "-c", trap]);
    let seen = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (seen === "") child.kill(signal);
      seen += part;
    }
    await child.stderr.cancel();
    await child.status;
    assertEquals(seen, `ready\ngot ${signal}\n5\n`);
  }
});
