/** `login` on a terminal: the password is asked for, and seen by nobody but the registry. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FaultyRegistry, type Handler } from "../registry/faulty_registry.ts";
import { must, Work } from "./harness.ts";
import { Tool } from "./transfer_tool.ts";

/** The password is one that no other process has in its command line. */
const USER = { name: "someone", password: `s3cret:${crypto.randomUUID()}` };
/** What is typed first, and taken back. */
const MISTAKE = crypto.randomUUID();

/** What was typed on a pseudo-terminal, and what was to be seen there. */
class Terminal {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #screen: ReadableStreamDefaultReader<string>;
  shown = "";

  /** @param command for the shell */
  constructor(command: string, env: Record<string, string>) {
    // With the echo that a terminal has; script leaves it out where it has none itself.
    const args = ["script", "--quiet", "--return", "--flush", "--echo", "always"];
    this.#child = new Deno.Command("env", {
      args: [...args, "--command", command, "/dev/null"],
      env: { ...env, SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#screen = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until a text is to be seen. */
  async sees(text: string): Promise<void> {
    while (!this.shown.includes(text)) {
      if (!await this.#read()) throw new Error(`there is no "${text}" in "${this.shown}"`);
    }
  }

  async type(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }

  /** Waits for the end of the command, which gets no more keys. @returns its exit status */
  async end(): Promise<number> {
    await this.#keys.close();
    while (await this.#read());
    return (await this.#child.status).code;
  }

  async #read(): Promise<boolean> {
    const { done, value } = await this.#screen.read();
    this.shown += value ?? "";
    return !done;
  }
}

/** `login` as a command for a shell that creates files for everybody, and shows how the terminal is. */
function loginCommand(tool: Tool, authFile: string, host: string): string {
  const flags = ["--tls-verify=false", `--authfile=${authFile}`, `--username=${USER.name}`];
  const words = tool.argv(["login", ...flags, host]).map((word) => `'${word}'`);
  return `umask 000; ${words.join(" ")}; status=$?; stty -a; exit $status`;
}

/** The command lines and environments of all processes. */
function everyProcess(): Promise<string> {
  // Processes end while they are looked at.
  const script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true";
  return must(["sh", "-c", script]);
}

Deno.test("a password that is typed is shown nowhere, and kept for its owner alone", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const basic = `Basic ${btoa(`${USER.name}:${USER.password}`)}`;
  const challenge = { "www-authenticate": 'Basic realm="tests"' };
  let seen = "";
  const handler: Handler = async ({ headers }) => {
    if (headers.get("authorization") !== basic) {
      return new Response(null, { status: 401, headers: challenge });
    }
    // Now it is known to the process, which waits for us.
    seen = await everyProcess();
    return undefined;
  };
  await using registry = new FaultyRegistry(handler);
  const authFile = work.path("auth.json");
  const terminal = new Terminal(loginCommand(tool, authFile, registry.host), tool.env);
  await terminal.sees(`Password of ${USER.name} at ${registry.host}: `);
  await terminal.type(`${MISTAKE}\x15${USER.password}x\x7f\r`);
  assertEquals(await terminal.end(), 0, terminal.shown);
  assertStringIncludes(seen, `--authfile=${authFile}`);
  for (const text of [seen, terminal.shown]) {
    for (const secret of [MISTAKE, USER.password, basic]) assert(!text.includes(secret), text);
  }
  // The terminal is as it was.
  assert(/ echo[ ;]/.test(terminal.shown) && / icanon[ ;]/.test(terminal.shown), terminal.shown);
  assertEquals(((await Deno.stat(authFile)).mode ?? 0) & 0o777, 0o600);
  const { auths } = JSON.parse(await Deno.readTextFile(authFile));
  assertEquals(`Basic ${auths[registry.host].auth}`, basic);
});

Deno.test("control-C at the prompt ends login, and leaves the terminal as it was", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using registry = new FaultyRegistry();
  const authFile = work.path("auth.json");
  const terminal = new Terminal(loginCommand(tool, authFile, registry.host), tool.env);
  await terminal.sees(`Password of ${USER.name}`);
  await terminal.type(`${USER.password}\x03`);
  assertEquals(await terminal.end(), 130, terminal.shown);
  assert(!terminal.shown.includes(USER.password), terminal.shown);
  assert(/ echo[ ;]/.test(terminal.shown) && / icanon[ ;]/.test(terminal.shown), terminal.shown);
  assertEquals(registry.log, []);
  await assertRejects(() => Deno.stat(authFile), Deno.errors.NotFound);
});
