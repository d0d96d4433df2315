import { assert, assertEquals } from "@std/assert";
import {
  cycleComplaints,
  effectComplaints,
  escapeComplaints,
  importGraph,
  LATE_MODULES,
  lateComplaints,
  lengthComplaints,
  loadedWith,
  MAX_FILE_LINES,
  MAX_FUNCTION_LINES,
  orderComplaints,
  orphanComplaints,
  type Sources,
} from "./tidy.ts";

const ROOT = new URL("../", import.meta.url);

/** Adds the source files below `directory` to `sources`. */
function collect(directory: string, sources: Map<string, string>): void {
  for (const entry of Deno.readDirSync(new URL(directory, ROOT))) {
    const path = `${directory}${entry.name}`;
    if (entry.isDirectory) collect(`${path}/`, sources);
    else if (/\.(ts|js)$/.test(entry.name)) {
      sources.set(path, Deno.readTextFileSync(new URL(path, ROOT)));
    }
  }
}

/** Every source file of the repository. */
function repository(): Sources {
  const sources = new Map([["mod.ts", Deno.readTextFileSync(new URL("mod.ts", ROOT))]]);
  for (const directory of ["src/", "wasm/", "tests/", "bench/"]) collect(directory, sources);
  return sources;
}

/** Files that deno.json names (exports, types, tasks), and those that a runner finds by name. */
function entries(sources: Sources): string[] {
  const config = Deno.readTextFileSync(new URL("deno.json", ROOT));
  const named = [...config.matchAll(/[\w./-]+\.(?:ts|js)\b/g)].map(([path]) =>
    path.replace(/^\.\//, "")
  );
  const found = [...sources.keys()].filter((path) =>
    /(_test|_bench|\.platform|\.zfs)\.ts$|^wasm\/assembly\/(index|lanes)\.ts$/.test(path)
  );
  return [...named, ...found];
}

const sources = repository();
const graph = importGraph(sources);

Deno.test("imports go downwards only", () => {
  assertEquals(orderComplaints(graph), []);
});

Deno.test("imports have no cycle, types included", () => {
  assertEquals(cycleComplaints(graph), []);
});

Deno.test("every file is used", () => {
  assertEquals(orphanComplaints(graph, entries(sources)), []);
});

Deno.test("every file of src is used by the program, not only by its tests", () => {
  const isOurs = (path: string) => !/^(tests|bench)\//.test(path);
  const program = new Map([...graph].filter(([path]) => isOurs(path)));
  const orphans = orphanComplaints(program, entries(sources).filter(isOurs));
  assert(program.size > 20);
  assertEquals(orphans, []);
});

Deno.test("what is loaded late is named in one place, and Deno does not follow it before", () => {
  assertEquals(lateComplaints(sources, graph), []);
  const commands = [...sources.keys()].filter((path) => path.startsWith("src/cli/commands/"));
  assert(commands.length > 20);
  for (const path of commands) assert(graph.get(LATE_MODULES)?.has(path), path);
});

/** What the main thread of a create loads, with any driver, and what reads the image. */
const CREATE = [
  "src/cli/program.ts",
  "src/cli/commands.ts",
  "src/cli/store_choice.ts",
  "src/cli/commands/create.ts",
  "src/container/bundle_files.ts",
  "src/layer/apply_layers.ts",
  "src/source/store_source.ts",
  "src/store/images.ts",
  "src/store/make_layers.ts",
  "src/store/replacement.ts",
  "src/store/zfs/zfs_driver.ts",
  "src/store/overlay/overlay_driver.ts",
  "src/store/directory/directory_driver.ts",
];

Deno.test("the main thread of a create, and the threads that read, load no module of Node", () => {
  const nodes = (entries: readonly string[]) =>
    [...loadedWith(sources, entries)].filter((name) => name.startsWith("node:"));
  for (const path of CREATE) assertEquals([path, nodes([path])], [path, []]);
  assertEquals(nodes(["src/layer/digest_worker.ts"]), []);
  assertEquals(nodes(["src/layer/inflate_worker.ts"]), ["node:zlib"]);
});

Deno.test("files and functions stay within the length caps", () => {
  assertEquals(lengthComplaints(sources), []);
});

Deno.test("nothing escapes from the type checker or the linter", () => {
  assertEquals(escapeComplaints(sources), []);
});

Deno.test("src prints, ends and spawns only in the places made for it", () => {
  assertEquals(effectComplaints(sources), []);
});

/** The graph of uses of sources given as [path, text]. */
function graphOf(...files: [string, string][]) {
  return importGraph(new Map(files));
}

Deno.test("the order rule sees imports, exports, types, dynamic imports and workers", () => {
  const upward = [
    'import { a } from "../cli/main.ts";',
    'import type { A } from "../cli/main.ts";',
    'export * from "../cli/main.ts";',
    'type A = import("../cli/main.ts").A;',
    'const a = await import("../cli/main.ts");',
    'const w = new Worker(new URL("../cli/main.ts", import.meta.url));',
    '// @ts-types="../cli/main.ts"',
  ];
  for (const text of upward) {
    const complaints = orderComplaints(graphOf(["src/oci/a.ts", text]));
    assertEquals(complaints, ["src/oci/a.ts:1: uses src/cli/main.ts, which is not below it"], text);
  }
});

Deno.test("the order rule forbids sideways imports, unknown places and use of tests", () => {
  const complain = (path: string, target: string) =>
    orderComplaints(graphOf([path, `import "${target}";`])).length;
  assertEquals(complain("src/tar/a.ts", "../blob/b.ts"), 1);
  assertEquals(complain("src/tar/a.ts", "./b.ts"), 0);
  assertEquals(complain("src/tar/a.ts", "../core/b.ts"), 0);
  assertEquals(complain("src/store/zfs/a.ts", "../driver.ts"), 0);
  assertEquals(complain("src/layer/a.ts", "../source/b.ts"), 1);
  assertEquals(complain("src/process.ts", "./errors.ts"), 0);
  assertEquals(complain("src/errors.ts", "./oci/digest.ts"), 1);
  assertEquals(complain("src/misc/a.ts", "../errors.ts"), 1);
  assertEquals(complain("src/cli/a.ts", "../../tests/b.ts"), 1);
  assertEquals(complain("mod.ts", "./src/cli/main.ts"), 0);
});

Deno.test("the order rule does not mistake strings and comments for imports", () => {
  const text = '// import "../cli/a.ts";\nconst s = `import "../cli/a.ts"`;\n';
  assertEquals(orderComplaints(graphOf(["src/oci/a.ts", text])), []);
});

Deno.test("a cycle is found, through types too", () => {
  const a: [string, string] = ["src/oci/a.ts", 'import type { B } from "./b.ts";'];
  const b: [string, string] = ["src/oci/b.ts", 'import { c } from "./c.ts";'];
  const c: [string, string] = ["src/oci/c.ts", 'export * from "./a.ts";'];
  assertEquals(cycleComplaints(graphOf(a, b, c)), [
    "src/oci/a.ts -> src/oci/b.ts -> src/oci/c.ts -> src/oci/a.ts: a cycle",
  ]);
  assertEquals(cycleComplaints(graphOf(a, b)), []);
});

Deno.test("a late module is found that Deno would follow, or that is in no list", () => {
  const list = `() => import("../oci/b.ts");`;
  const late = (type: string, text: string, listed = list) => {
    const sources = new Map([
      [LATE_MODULES, listed],
      ["src/oci/a.ts", `const { b }: typeof import("${type}") = await import(${text});`],
    ]);
    return lateComplaints(sources, importGraph(sources)).length;
  };
  assertEquals(late("./b.ts", 'import.meta.resolve("./b.ts")'), 0);
  assertEquals(late("./b.ts", '"./b.ts"'), 1);
  assertEquals(late("./c.ts", 'import.meta.resolve("./b.ts")'), 1);
  assertEquals(late("./b.ts", 'import.meta.resolve("./b.ts")', ""), 1);
});

Deno.test("what a module loads are its imports and re-exports of values, and theirs", () => {
  const sources = new Map([
    ["a.ts", 'import "./b.ts"; import { type C } from "./c.ts"; import type { D } from "./d.ts";'],
    ["b.ts", 'export * from "./e.ts"; export type { F } from "./f.ts"; import("./g.ts");'],
    ["e.ts", 'import { type H, i } from "./h.ts"; export { type J } from "./j.ts";'],
    ["h.ts", 'import k from "node:k";'],
  ]);
  const loaded = loadedWith(sources, ["a.ts"]);
  assertEquals([...loaded].sort(), ["a.ts", "b.ts", "e.ts", "h.ts", "node:k"]);
});

Deno.test("a file that nothing uses is found", () => {
  const files = graphOf(["mod.ts", 'import "./a.ts";'], ["a.ts", ""], ["b.ts", 'import "./a.ts";']);
  assertEquals(orphanComplaints(files, ["mod.ts"]), ["b.ts:1: nothing uses this file"]);
});

Deno.test("long functions of every kind and long files are found", () => {
  const body = "\n".repeat(MAX_FUNCTION_LINES);
  const kinds = [
    `function f() {${body}}`,
    `const f = () => {${body}};`,
    `class A { m(): { a: string } {${body}} }`,
    `export const f = (): void =>${body}g();`,
  ];
  for (const text of kinds) assertEquals(lengthComplaints(new Map([["a.ts", text]])).length, 1);
  const inner = `function f() {${body.slice(1)}}`;
  assertEquals(lengthComplaints(new Map([["a.ts", inner]])), []);
  const lines = "\n".repeat(MAX_FILE_LINES);
  assertEquals(lengthComplaints(new Map([["a.ts", lines]])), []);
  assertEquals(lengthComplaints(new Map([["a.ts", `${lines}\n`]])).length, 1);
});

Deno.test("escapes and effects are found", () => {
  const escapes = [
    "let a: any;",
    "f(a as any)",
    "// @ts-" + "ignore\nf();",
    "/* @ts-" + "nocheck */",
  ];
  escapes.push("// deno-lint-" + "ignore no-console", "// deno-lint-" + "ignore-file");
  for (const text of escapes) {
    assertEquals(escapeComplaints(new Map([["a.ts", text]])).length, 1, text);
  }
  const allowed = "// deno-lint-" + "ignore require-await -- the interface is asynchronous\n";
  assertEquals(escapeComplaints(new Map([["a.ts", allowed + '"any"; let any = 1;']])), []);
  const effects = ["console.log(1)", "Deno.exit(1)", 'new Deno.Command("ls")', "Deno.stdout.x()"];
  for (const text of effects) {
    assertEquals(effectComplaints(new Map([["src/oci/a.ts", text]])).length, 1, text);
  }
  assertEquals(effectComplaints(new Map([["src/cli/a.ts", "Deno.exit(1)"]])), []);
  assertEquals(effectComplaints(new Map([["src/oci/a.ts", "// console.log(1)"]])), []);
});
