/**
 * Compiles wasm/assembly to wasm/layerfs.wasm and wasm/lanes.wasm with the AssemblyScript compiler.
 *
 * Both are committed, so that a checkout runs without a build. With `--check` nothing is
 * written: the program compiles into memory and fails when the bytes are not the committed ones.
 *
 * @example
 * ```sh
 * deno run --allow-read --allow-env --allow-write=wasm wasm/build.ts
 * deno run --allow-read --allow-env wasm/build.ts --check
 * ```
 *
 * @module
 */

import { createHash } from "node:crypto";
import asc from "assemblyscript/asc";
import binaryen from "binaryen";

const HERE = new URL(".", import.meta.url);
const HASHES = new URL("layerfs.sha256", HERE);

/** A module: its file, the source that has its exports, and what is particular about it. */
interface Target {
  readonly output: string;
  readonly entry: string;
  readonly options: readonly string[];
  /** Functions in the order of their sources; see {@linkcode CALM_PASSES}. */
  readonly inOrder: readonly string[];
}

const TARGETS: readonly Target[] = [
  { output: "layerfs.wasm", entry: "index.ts", options: [], inOrder: ["sha256/sha256Blocks"] },
  {
    output: "lanes.wasm",
    entry: "lanes.ts",
    options: ["--importMemory", "--sharedMemory", "--enable", "threads"],
    inOrder: ["sha256/sha256Blocks", "sha256x4/rounds"],
  },
];

/**
 * For functions that are left in the order in which their sources stand: what neither moves
 * computations nor adds any. Binaryen moves a computation to where its result is first used, which
 * makes more results wait for each other than there are registers (measured: SHA-256 0.9 times as
 * fast).
 */
const CALM_PASSES = [
  "vacuum",
  // Only what is a constant in the module is one for V8, which then checks no bounds.
  "precompute-propagate",
  "optimize-instructions",
  "remove-unused-names",
  "merge-blocks",
  "coalesce-locals",
  "reorder-locals",
  "vacuum",
];

/**
 * The compiler only translates, as {@linkcode optimize} does the rest.
 *
 * `--runtime stub` because nothing is ever allocated through the runtime (memory.ts draws the map),
 * `--noAssert` because what an archive can get wrong is checked by ordinary code. 20 pages are the
 * fixed regions, below whose static data HASH_WK lies; 32,768 pages (2 GiB) end a layer with more paths than any file system would hold.
 */
const OPTIONS = [
  "-O0",
  "--debug",
  "--noAssert",
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--enable",
  "relaxed-simd",
  "--memoryBase",
  "1024",
  "--initialMemory",
  "20",
  "--maximumMemory",
  "32768",
  "--use",
  "abort=",
];

/** Compiles the sources in wasm/assembly; throws with the compiler's messages when it fails. */
async function compile({ output, entry, options, inOrder }: Target): Promise<Uint8Array> {
  let messages = "";
  let binary: Uint8Array | undefined;
  const { error } = await asc.main([entry, "--outFile", output, ...OPTIONS, ...options], {
    stdout: { write: (text: string | Uint8Array) => void (messages += text) },
    stderr: { write: (text: string | Uint8Array) => void (messages += text) },
    readFile: (name: string) => readSource(name),
    writeFile: (_name: string, contents: string | Uint8Array) => {
      if (contents instanceof Uint8Array) binary = contents;
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new Error(`Cannot compile wasm/assembly: ${messages || error}`);
  return optimize(binary, inOrder);
}

/** What `asc -O3` does, but for the functions `inOrder`. */
function optimize(binary: Uint8Array, inOrder: readonly string[]): Uint8Array {
  const { MutableGlobals, SignExt, NontrappingFPToInt, BulkMemory, BulkMemoryOpt } =
    binaryen.Features;
  const { SIMD128, RelaxedSIMD, Atomics } = binaryen.Features;
  const module = binaryen.readBinary(binary);
  try {
    module.setFeatures(
      MutableGlobals | SignExt | NontrappingFPToInt | BulkMemory | BulkMemoryOpt | SIMD128 |
        RelaxedSIMD | Atomics,
    );
    binaryen.setOptimizeLevel(3);
    binaryen.setShrinkLevel(0);
    module.runPasses(["simplify-globals", "inlining-optimizing", "remove-unused-module-elements"]);
    const left = new Set(inOrder);
    for (let index = 0; index < module.getNumFunctions(); index++) {
      const { name } = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
      if (left.delete(name)) module.runPassesOnFunction(name, CALM_PASSES);
      else module.optimizeFunction(name);
    }
    if (left.size > 0) throw new Error(`Cannot find the functions ${[...left].join(", ")}`);
    module.runPasses(["remove-unused-module-elements", "directize", "strip-debug"]);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

function readSource(name: string): string | null {
  try {
    return Deno.readTextFileSync(new URL(`assembly/${name}`, HERE));
  } catch (error) {
    // The compiler probes for a name with several endings.
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** One line a source and one a module, in the format of sha256sum. */
function hashes(modules: ReadonlyMap<string, Uint8Array>): string {
  const names = [...Deno.readDirSync(new URL("assembly/", HERE))].map((entry) => entry.name).sort();
  const line = (bytes: Uint8Array, name: string) =>
    `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
  const sources = names.map((name) =>
    line(Deno.readFileSync(new URL(`assembly/${name}`, HERE)), `assembly/${name}`)
  );
  return [...sources, ...Array.from(modules, ([name, bytes]) => line(bytes, name))].join("");
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

if (import.meta.main) {
  const modules = new Map<string, Uint8Array>();
  for (const target of TARGETS) modules.set(target.output, await compile(target));
  const text = hashes(modules);
  if (!Deno.args.includes("--check")) {
    for (const [name, bytes] of modules) Deno.writeFileSync(new URL(name, HERE), bytes);
    Deno.writeTextFileSync(HASHES, text);
  } else {
    for (const [name, bytes] of modules) {
      if (same(bytes, Deno.readFileSync(new URL(name, HERE)))) continue;
      throw new Error(
        `Cannot accept wasm/${name}: it differs from what its sources give; run wasm/build.ts`,
      );
    }
    if (Deno.readTextFileSync(HASHES) !== text) {
      throw new Error("Cannot accept wasm/layerfs.sha256: it is not of these; run wasm/build.ts");
    }
  }
}
