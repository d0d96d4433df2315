/**
 * The demo of the quick start (`deno task demo`): makes the hello image, a container from it, and
 * shows the bundle; runs it where that can be done. Needs no network and no other image tool.
 *
 * @module
 */

import { findRuntime } from "../container/runtime.ts";
import { LayerfsError } from "../errors.ts";
import { HELLO_TAG, writeHelloLayout } from "../hello/hello_image.ts";
import { type Io, systemIo } from "./io.ts";
import { main } from "./main.ts";

/** A word as one would type it. */
function typed(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}

/** Shows a command line and runs it; the demo ends where it fails. */
async function step(io: Io, args: readonly string[]): Promise<void> {
  io.stdout(`\n$ layerfs ${args.map(typed).join(" ")}\n`);
  const status = await main(args, io);
  if (status !== 0) Deno.exit(status);
}

/** Files and directories below `directory`, as indented lines. */
function listing(directory: string, indent = "  "): string {
  const entries = [...Deno.readDirSync(directory)];
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.map((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) {
      return `${indent}${entry.name}/\n${listing(path, `${indent}  `)}`;
    }
    const size = entry.isFile ? `  ${Deno.statSync(path).size} bytes` : "";
    return `${indent}${entry.name}${size}\n`;
  }).join("");
}

/** Why the container cannot be run here; undefined if it can. */
async function obstacle(io: Io): Promise<string | undefined> {
  if (io.uid() !== 0) return "the demo runs containers as root only";
  try {
    await findRuntime();
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "program-missing") return error.message;
    throw error;
  }
}

async function demo(io: Io): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-demo-" });
  Deno.chdir(directory);
  const image = `oci:hello:${HELLO_TAG}`;
  const store = ["--store", "store", "--driver", "directory"];
  const bundle = "store/containers/demo";

  io.stdout(`$ cd ${directory}\nThe hello image, made by layerfs itself: ${image}\n`);
  await writeHelloLayout("hello");

  await step(io, [...store, "create", "--name", "demo", image]);
  io.stdout(`\nThe bundle, ready for an OCI runtime:\n${listing(bundle)}`);
  const config = JSON.parse(Deno.readTextFileSync(`${bundle}/config.json`));
  io.stdout(`It starts ${JSON.stringify(config.process.args)} in ${config.process.cwd}\n`);
  await step(io, [...store, "ps"]);

  const runs = [...store, "run", "--rm", image];
  const reason = await obstacle(io);
  if (reason === undefined) await step(io, runs);
  else io.stdout(`\nSkipped: layerfs ${runs.map(typed).join(" ")}\n  (${reason})\n`);
  io.stdout(`\nAll of it is in ${directory}; remove that directory when you have seen it.\n`);
}

if (import.meta.main) await demo(systemIo());
