/**
 * From the words of a command line to one typed command.
 *
 * @example
 * ```ts
 * import { parse } from "./parse.ts";
 *
 * const parsed = parse(["--json", "rm", "web", "--force"]);
 * console.assert(parsed.kind === "command" && parsed.name === "rm");
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { LayerfsError } from "../errors.ts";
import { nearestOf, suggestion } from "../nearest.ts";
import { type ScannedWords, scanWords } from "./scan.ts";
import type { Option, Options, Values } from "./spec.ts";
import { COMMAND_NAMES, type CommandName, GLOBAL_OPTIONS, specOf } from "./specs.ts";

/** The values of the options that every command takes. */
export type Globals = Values<typeof GLOBAL_OPTIONS>;

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: "help"; readonly name: CommandName | undefined; readonly globals: Globals }
  | { readonly kind: "version"; readonly globals: Globals }
  | {
    readonly kind: "command";
    readonly name: CommandName;
    readonly globals: Globals;
    /** Typed by the command's own spec where it is dispatched; see commands.ts. */
    readonly values: Values<Options>;
    readonly operands: readonly string[];
  };

/**
 * Reads a command line.
 *
 * @throws {LayerfsError} `usage`, with the nearest command or option where one is not known
 */
export function parse(args: readonly string[]): Parsed {
  const front = scanWords(args, GLOBAL_OPTIONS, true);
  const [word, ...rest] = front.operands;
  if (word === undefined) return parseWithoutCommand(front);
  // "layerfs help create", as podman and git have it.
  if (word === "help") return parse([...front.options, "--help", ...rest.slice(0, 1)]);
  const name = commandName(word);
  const spec = specOf(name);
  const all = { ...GLOBAL_OPTIONS, ...spec.options };
  const scanned = scanWords(rest, all, spec.operands.endOptions ?? false, name);
  const values = optionValues(all, [...front.options, ...scanned.options]);
  const globals = values as Globals;
  if (globals.help) return { kind: "help", name, globals };
  if (globals.version) return { kind: "version", globals };
  checkCount(name, scanned.operands);
  return { kind: "command", name, globals, values, operands: scanned.operands };
}

/**
 * Whether a command line asks for JSON: told apart from {@linkcode parse}, because a command line
 * that cannot be parsed has its error printed as JSON too.
 */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  return words.some((word) => word === "--json" || word === "--json=true");
}

function parseWithoutCommand(front: ScannedWords): Parsed {
  const globals = optionValues(GLOBAL_OPTIONS, front.options) as Globals;
  if (globals.version) return { kind: "version", globals };
  if (globals.help) return { kind: "help", name: undefined, globals };
  throw new LayerfsError(
    "usage",
    "Cannot tell what to do: no command is given; layerfs --help lists them",
  );
}

/** Where all commands are. */
const LISTED = "; layerfs --help lists them all";

const quoted = (word: string) => `"${word}"`;

function commandName(word: string): CommandName {
  const name = COMMAND_NAMES.find((known) => known === word);
  if (name !== undefined) return name;
  const nearest = nearestOf(word, COMMAND_NAMES);
  throw new LayerfsError(
    "usage",
    `Cannot run command "${word}": it is not known${suggestion(nearest, quoted) || LISTED}`,
    { command: word, ...(nearest === null ? {} : { nearest }) },
  );
}

/** Collects and types the scanned options; those that are absent get their empty value. */
function optionValues(options: Options, words: readonly string[]): Values<Options> {
  const names = Object.keys(options);
  const ofKind = (kind: Option["kind"]) => names.filter((name) => options[name]?.kind === kind);
  const lists = ofKind("list");
  const parsed = parseArgs(words, {
    boolean: ofKind("flag"),
    string: [...ofKind("text"), ...ofKind("choice"), ...lists],
    collect: lists,
  });
  const values = Object.fromEntries(names.map((name) => [name, parsed[name]])) as Values<Options>;
  for (const name of ofKind("choice")) {
    const value = values[name];
    if (typeof value === "string") checkChoice(`--${name}`, value, options[name]);
  }
  return values;
}

/** Refuses a value that is not among an option's choices. */
export function checkChoice(source: string, value: string, option: Option | undefined): void {
  if (option?.kind !== "choice" || option.choices.includes(value)) return;
  throw new LayerfsError(
    "usage",
    `Cannot use ${source} "${value}": it is not one of ${option.choices.join(", ")}` +
      suggestion(nearestOf(value, option.choices), quoted),
  );
}

function checkCount(name: CommandName, operands: readonly string[]): void {
  const { usage, min, max, choices } = specOf(name).operands;
  const wanted = `usage: layerfs ${name} [OPTIONS] ${usage[0] ?? ""}`.trimEnd();
  if (operands.length < min) {
    throw new LayerfsError("usage", `Cannot run ${name}: an operand is missing; ${wanted}`);
  }
  if (operands.length > max) {
    const extra = operands[max] ?? "";
    throw new LayerfsError("usage", `Cannot run ${name}: "${extra}" is too much; ${wanted}`);
  }
  const bad = choices === undefined ? undefined : operands.find((word) => !choices.includes(word));
  if (bad !== undefined && choices !== undefined) {
    throw new LayerfsError(
      "usage",
      `Cannot run ${name} for "${bad}": it is not one of ${choices.join(", ")}` +
        suggestion(nearestOf(bad, choices), quoted),
    );
  }
}
