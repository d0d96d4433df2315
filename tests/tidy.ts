/**
 * The rules of the house as functions from source texts to complaints: the order of imports, no
 * cycles, length caps, no file that nothing uses, no escape from the type checker, no printing or
 * spawning outside the places made for it. tests/tidy_test.ts applies them to the repository.
 *
 * @module
 */

import ts from "typescript";

/** Source texts by their path from the root of the repository. */
export type Sources = ReadonlyMap<string, string>;

/** One place where a rule is broken: `path:line: what`. */
export type Complaint = string;

/**
 * Directories of src/, lowest first; those of one rank do not import each other. Below them all
 * stand the files directly in src/ (errors, limits, process, ...), which may.
 */
export const ORDER: readonly (readonly string[])[] = [
  ["oci"],
  ["core"],
  ["tar", "blob"],
  ["registry"],
  ["source", "hello", "layer"],
  ["store"],
  ["transfer"],
  ["container"],
  ["validate"],
  ["cli"],
];

/** Lines of a file, and of a function from its name to its closing brace. */
export const MAX_FILE_LINES = 350;
export const MAX_FUNCTION_LINES = 70;

/** Where programs are started, and where the process may speak and end. */
const SPAWNER = "src/process.ts";
const SPEAKERS = ["src/cli/", "src/process.ts", "mod.ts"];

/** A use of one file in another: an import or export of any kind, a type, a worker's URL. */
interface Use {
  specifier: string;
  position: number;
}

/** Parses AssemblyScript too: its grammar is that of TypeScript. */
function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

/** Calls `visit` for `node` and for everything below it. */
function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The complaint form. */
function at(file: ts.SourceFile, position: number, what: string): Complaint {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(position).line + 1}: ${what}`;
}

/** Text of a string literal, else undefined. */
function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** The specifier that a node brings in, when it is of a kind that does. */
function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return literal(node.moduleSpecifier);
  }
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal) : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literal(node.arguments[0]);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "URL") {
    const base = node.arguments?.[1]?.getText();
    return base === "import.meta.url" ? literal(node.arguments?.[0]) : undefined;
  }
  return undefined;
}

/** Every use that a file makes of another one of the repository. */
function usesOf(file: ts.SourceFile): Use[] {
  const uses: Use[] = [];
  walk(file, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) uses.push({ specifier, position: node.getStart() });
  });
  for (const match of file.text.matchAll(/^\/\/ @ts-(?:self-)?types="([^"]+)"/gm)) {
    uses.push({ specifier: match[1] ?? "", position: match.index });
  }
  // TypeScript knows nothing of `import source`.
  for (const match of file.text.matchAll(/^import source \w+ from "([^"]+)"/gm)) {
    uses.push({ specifier: match[1] ?? "", position: match.index });
  }
  // Modules of ours: no package, and no data (deno.json, the compiled module).
  return uses.filter(({ specifier }) => /^\.(?!.*\.(json|wasm)$)/.test(specifier));
}

/** The path that a relative specifier in `from` means; AssemblyScript leaves out ".ts". */
function resolve(from: string, specifier: string): string {
  const path = new URL(specifier, `file:///${from}`).pathname.slice(1);
  return /\.\w+$/.test(path) ? path : `${path}.ts`;
}

/** Where all modules are named that are loaded late: the only place of literal `import()`s in src/. */
export const LATE_MODULES = "src/cli/late_modules.ts";

/**
 * The argument of an `import()` that Deno does not follow before the program starts, where it is of
 * the form `const names: typeof import("x") = await import(import.meta.resolve("x"))`; else null.
 */
function lateSpecifier(call: ts.CallExpression): string | null {
  const [resolved] = call.arguments;
  const declared = call.parent.parent;
  if (resolved === undefined || !ts.isCallExpression(resolved)) return null;
  if (resolved.expression.getText() !== "import.meta.resolve") return null;
  if (!ts.isVariableDeclaration(declared) || declared.type === undefined) return null;
  const named = literal(resolved.arguments[0]);
  // The commands, by their names: commands.ts has a table of their types.
  if (named === undefined) return resolved.arguments[0]?.getText() ?? null;
  return specifierOf(declared.type) === named ? named : null;
}

/** Modules that src/ loads late: all must be named in {@linkcode LATE_MODULES}, and in one form. */
export function lateComplaints(sources: Sources, graph: Graph): Complaint[] {
  const complaints: Complaint[] = [];
  const named = graph.get(LATE_MODULES) ?? new Map<string, Complaint>();
  for (const [path, text] of sources) {
    if (!path.startsWith("src/") || path === LATE_MODULES) continue;
    const file = parse(path, text);
    walk(file, (node) => {
      if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) {
        return;
      }
      const specifier = lateSpecifier(node);
      const module = specifier?.startsWith(".") ? resolve(path, specifier) : null;
      if (specifier === null) complaints.push(at(file, node.getStart(), "a literal import()"));
      else if (module !== null && !named.has(module)) {
        complaints.push(at(file, node.getStart(), `${module} is not in ${LATE_MODULES}`));
      }
    });
  }
  return complaints;
}

/** All that a module loads as it is loaded: paths of files of ours, and names of others. */
export function loadedWith(sources: Sources, entries: readonly string[]): Set<string> {
  const loaded = new Set<string>();
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (loaded.has(path)) continue;
    loaded.add(path);
    const text = sources.get(path);
    if (text === undefined) continue;
    for (const statement of parse(path, text).statements) {
      const specifier = isOfTypes(statement) ? undefined : specifierOf(statement);
      if (specifier === undefined) continue;
      waiting.push(specifier.startsWith(".") ? resolve(path, specifier) : specifier);
    }
  }
  return loaded;
}

/** Whether an import or export has types only, which are gone when it runs. */
function isOfTypes(statement: ts.Statement): boolean {
  if (ts.isExportDeclaration(statement)) {
    const clause = statement.exportClause;
    return statement.isTypeOnly ||
      (clause !== undefined && ts.isNamedExports(clause) &&
        clause.elements.every(({ isTypeOnly }) => isTypeOnly));
  }
  if (!ts.isImportDeclaration(statement)) return false;
  const clause = statement.importClause;
  if (clause === undefined) return false; // for its effects
  const names = clause.namedBindings;
  return clause.isTypeOnly || (clause.name === undefined && names !== undefined &&
    ts.isNamedImports(names) && names.elements.every(({ isTypeOnly }) => isTypeOnly));
}

/** Which files each file uses, in the order of the uses. */
export type Graph = ReadonlyMap<string, ReadonlyMap<string, Complaint>>;

/** The graph of uses; the value of an edge is the place of its first use. */
export function importGraph(sources: Sources): Graph {
  const graph = new Map<string, Map<string, Complaint>>();
  for (const [path, text] of sources) {
    const file = parse(path, text);
    const edges = new Map<string, Complaint>();
    for (const { specifier, position } of usesOf(file)) {
      const target = resolve(path, specifier);
      if (!edges.has(target)) edges.set(target, at(file, position, `uses ${target}`));
    }
    graph.set(path, edges);
  }
  return graph;
}

/** Index in {@linkcode ORDER}, -1 for files directly in src/, -2 for wasm/; undefined elsewhere. */
function rank(path: string): number | undefined {
  if (path === "mod.ts") return ORDER.length;
  if (path.startsWith("wasm/")) return -2;
  if (/^src\/[^/]+$/.test(path)) return -1;
  const place = path.split("/")[1] ?? "";
  const found = ORDER.findIndex((places) => places.includes(place));
  return path.startsWith("src/") && found >= 0 ? found : undefined;
}

/** The directory below src/ that a file belongs to, however deep in it; or src/ itself. */
function directory(path: string): string {
  return path.split("/").slice(0, -1).slice(0, 2).join("/");
}

/** Uses that do not go downwards; files of one directory may use each other. */
export function orderComplaints(graph: Graph): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, edges] of graph) {
    if (!path.startsWith("src/") && path !== "mod.ts") continue;
    const own = rank(path);
    if (own === undefined && !path.endsWith(".d.ts")) {
      complaints.push(`${path}:1: has no place in the order of imports`);
    }
    for (const [target, where] of edges) {
      const other = rank(target);
      if (other === undefined) complaints.push(`${where}, which has no place in the order`);
      else if (own !== undefined && other >= own && directory(path) !== directory(target)) {
        complaints.push(`${where}, which is not below it`);
      }
    }
  }
  return complaints;
}

/** Cycles of uses, each given once with its way round. */
export function cycleComplaints(graph: Graph): Complaint[] {
  const complaints: Complaint[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): void => {
    const start = way.indexOf(path);
    if (start >= 0) complaints.push(`${[...way.slice(start), path].join(" -> ")}: a cycle`);
    if (start >= 0 || done.has(path)) return;
    way.push(path);
    for (const target of graph.get(path)?.keys() ?? []) visit(target);
    way.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return complaints;
}

/** Files that no way of uses reaches from one of `entries`. */
export function orphanComplaints(graph: Graph, entries: readonly string[]): Complaint[] {
  const reached = new Set<string>();
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...graph.get(path)?.keys() ?? []);
  }
  return [...graph.keys()].filter((path) => !reached.has(path)).map((path) =>
    `${path}:1: nothing uses this file`
  );
}

/** Files and functions longer than the caps. */
export function lengthComplaints(sources: Sources): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, text] of sources) {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines > MAX_FILE_LINES) complaints.push(`${path}:1: ${lines} lines`);
    const file = parse(path, text);
    walk(file, (node) => {
      if (!ts.isFunctionLike(node)) return;
      const first = file.getLineAndCharacterOfPosition(node.getStart()).line;
      const length = file.getLineAndCharacterOfPosition(node.getEnd()).line - first + 1;
      if (length > MAX_FUNCTION_LINES) {
        complaints.push(at(file, node.getStart(), `a function of ${length} lines`));
      }
    });
  }
  return complaints;
}

/** What a comment asks of the tools that may not be asked. */
function commentComplaints(file: ts.SourceFile): Complaint[] {
  const complaints: Complaint[] = [];
  const escape = /(?:\/\/|\/\*)\s*(@ts-(?:ignore|expect-error|nocheck)|deno-lint-ignore-file)/g;
  for (const match of file.text.matchAll(escape)) {
    complaints.push(at(file, match.index, `${match[1]}`));
  }
  for (const match of file.text.matchAll(/\/\/ deno-lint-ignore(?!-)(.*)/g)) {
    if (!/^ [\w/-]+ -- \S/.test(match[1] ?? "")) {
      complaints.push(at(file, match.index, 'an ignored lint is "rule -- reason"'));
    }
  }
  return complaints;
}

/**
 * Escapes from the type checker and the linter: `any`, `@ts-ignore` and their kin. The checker of
 * AssemblyScript knows no such comments: there they only quiet editors about its decorators.
 */
export function escapeComplaints(sources: Sources): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, text] of sources) {
    const file = parse(path, text);
    if (!path.startsWith("wasm/assembly/")) complaints.push(...commentComplaints(file));
    walk(file, (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) {
        complaints.push(at(file, node.getStart(), "any"));
      }
    });
  }
  return complaints;
}

/** Printing, ending the process and starting others, in src/ outside the places made for it. */
export function effectComplaints(sources: Sources): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, text] of sources) {
    if (!path.startsWith("src/")) continue;
    const file = parse(path, text);
    const speaks = SPEAKERS.some((speaker) => path.startsWith(speaker));
    walk(file, (node) => {
      if (!ts.isPropertyAccessExpression(node)) return;
      const name = node.getText();
      const prints = /^Deno\.(exit|stdout|stderr|stdin)$/.test(name) && !speaks;
      const spawns = name === "Deno.Command" && path !== SPAWNER;
      if (prints || spawns || name.startsWith("console.")) {
        complaints.push(at(file, node.getStart(), name));
      }
    });
  }
  return complaints;
}
