/**
 * Profiles a cold create, in all its threads, for flame graphs.
 *
 *     deno task profile [--out DIR] [--engine wasm|native] [--interval MICROSECONDS] [IMAGE]
 *
 * DIR (dist/profile) gets
 *
 * - `NAME.cpuprofile` of each thread: open it in Chrome's DevTools, VS Code or speedscope;
 * - `NAME.svg` of each, a flame graph that a browser shows;
 * - `create.folded`: all threads in one, a line each stack, microseconds behind it, for flamegraph.pl,
 *   inferno or speedscope. Its outermost frames are the threads. Time in which V8 had nothing to do
 *   is left out; that in which a thread waits for a ring is below Atomics.wait.
 *
 * IMAGE is the hello image where none is given: an image of some hundred MB says more. The container
 * is made in a store below the temporary directory, which is removed. What `tar` does is in no
 * profile: it is a process of its own.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { writeHelloLayout } from "../src/hello/hello_image.ts";
import { layerfsCommand, must } from "../tests/platform/harness.ts";
import { type CpuProfile, foldStacks, threadOf } from "./folded.ts";
import { count, report } from "./report.ts";

/** Makes a container under the profiler, and its profiles. */
async function profile(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["out", "engine", "interval"],
    default: { engine: "wasm" },
  });
  const out = String(options.out ?? new URL("../dist/profile", import.meta.url).pathname);
  const interval = count("interval", options.interval, 500);
  const work = await Deno.makeTempDir({ prefix: "layerfs-profile-" });
  try {
    await writeHelloLayout(`${work}/hello`);
    const image = String(options._[0] ?? `oci:${work}/hello`);
    await Deno.mkdir(out, { recursive: true });
    for await (const { name } of Deno.readDir(out)) {
      if (/\.(cpuprofile|svg|folded)$/.test(name)) await Deno.remove(`${out}/${name}`);
    }
    const [deno, run, ...rest] = await layerfsCommand();
    const prof = ["--cpu-prof", `--cpu-prof-dir=${work}/made`, `--cpu-prof-interval=${interval}`];
    const command = [deno!, run!, ...prof, "--cpu-prof-flamegraph", ...rest];
    const where = ["--store", `${work}/store`, "--driver", "directory", "--quiet"];
    await must([...command, ...where, "--digest-engine", String(options.engine), "create", image]);
    const lines: string[] = [];
    const names = new Set([...Deno.readDirSync(`${work}/made`)].map(({ name }) => name));
    for (const name of names) {
      if (!name.endsWith(".cpuprofile")) continue;
      const found: CpuProfile = JSON.parse(await Deno.readTextFile(`${work}/made/${name}`));
      const thread = threadOf(found);
      for (const [stack, microseconds] of foldStacks(thread, found)) {
        lines.push(`${stack} ${microseconds}\n`);
      }
      await Deno.copyFile(`${work}/made/${name}`, `${out}/${thread}.cpuprofile`);
      report(`${out}/${thread}.cpuprofile`);
      const graph = name.replace(/cpuprofile$/, "svg");
      // Deno writes it last, and may end before it has.
      if (names.has(graph)) await Deno.copyFile(`${work}/made/${graph}`, `${out}/${thread}.svg`);
      else report(`no flame graph of ${thread} was written: run it again`);
    }
    await Deno.writeTextFile(`${out}/create.folded`, lines.sort().join(""));
    report(`${out}/create.folded`);
  } finally {
    await must(["rm", "-rf", "--one-file-system", work]);
  }
}

await profile();
