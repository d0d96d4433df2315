/** The program as a process: what it loads, and what becomes of it when its reader goes. */

import { assert, assertEquals } from "@std/assert";

const PROGRAM = new URL("../../src/cli/program.ts", import.meta.url).pathname;

/** What a program that must succeed has printed. */
async function printed(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

interface Loaded {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: { readonly specifier: string };
    readonly isDynamic?: boolean;
  }[];
}

/** Everything that starting a file loads: what it imports by words, and so on. */
async function loadedBy(file: string): Promise<Set<string>> {
  const args = ["info", "--json", "--config", new URL("../../deno.json", import.meta.url).pathname];
  const graph: { roots: string[]; modules: Loaded[]; redirects?: Record<string, string> } = JSON
    .parse(await printed(Deno.execPath(), [...args, file]));
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const loaded = new Set<string>();
  const waiting = [...graph.roots];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (loaded.has(at)) continue;
    loaded.add(at);
    for (const { code, isDynamic } of modules.get(at)?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) waiting.push(code.specifier);
    }
  }
  return loaded;
}

Deno.test("help and version load no command, no node: module and no WebAssembly", async () => {
  const loaded = [...await loadedBy(PROGRAM)];
  const names = loaded.map((specifier) => specifier.replace(/^file:.*(?=\/src\/)/, ""));
  assert(names.includes("/src/cli/parse.ts"), names.join(" "));
  const heavy = /^node:|\.wasm$|\/src\/(?!cli\/|errors|nearest|system_error)|\/src\/cli\/commands/;
  assertEquals(names.filter((name) => heavy.test(name)), []);
});

Deno.test("what mod.ts loads is seen as heavy", async () => {
  const loaded = await loadedBy(new URL("../../mod.ts", import.meta.url).pathname);
  for (const part of ["node:fs", "/wasm/layerfs.wasm", "/src/container/create.ts"]) {
    assert([...loaded].some((specifier) => specifier.endsWith(part)), part);
  }
});

/** What the program, its output `to` a pipe that nobody reads, and the shell after it have printed. */
async function unread(to: string, ...args: readonly string[]): Promise<string> {
  // The process substitution has ended, and its end of the pipe with it, before the program starts.
  const script = `exec 3> >(true); wait $!; "$@" ${to}; echo $?`;
  const run = ["-c", script, "run", Deno.execPath(), "run", "--quiet", PROGRAM, ...args];
  const { stdout, stderr } = await new Deno.Command("bash", { args: run }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("a reader that has gone ends the program quietly", async () => {
  assertEquals(await unread(">&3", "--help"), "1\n");
});

Deno.test("what is told beside the result stops nothing where nobody hears it", async () => {
  assertEquals(await unread("2>&3", "no-such-command"), "2\n");
});
