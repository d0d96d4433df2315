/**
 * The words of a command line, told apart into options and operands.
 *
 * parseArgs of `@std/cli` guesses where a word could be either (whether `--env -1` has a value, what
 * `--` belongs to, where options end). This pass asks the table instead and hands over words in which
 * nothing is left to guess: `--name=value`, one word an option.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { nearestOf, suggestion } from "../nearest.ts";
import type { Option, Options } from "./spec.ts";

/** What {@linkcode scanWords} found. */
export interface ScannedWords {
  /** Options as `--name=value`, in their order. */
  readonly options: readonly string[];
  readonly operands: readonly string[];
}

/**
 * Tells options from operands.
 *
 * @param endAtOperand everything from the first operand on is an operand, dashes or not
 * @param command the command's name, for messages
 * @throws {LayerfsError} `usage`: unknown option, value missing, value where none is taken
 */
export function scanWords(
  words: readonly string[],
  options: Options,
  endAtOperand: boolean,
  command?: string,
): ScannedWords {
  const table = new Table(options, command);
  const found: string[] = [];
  const operands: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      operands.push(word);
      if (!endAtOperand) continue;
      operands.push(...words.slice(at + 1));
      break;
    }
    const read = word.startsWith("--") ? longOption(table, word) : shortOptions(table, word);
    found.push(...read.complete);
    if (read.open === undefined) continue;
    found.push(`--${read.open}=${table.valueAfter(read.open, words[at + 1])}`);
    at++;
  }
  return { options: found, operands };
}

/** Options of one word; the last one may have its value in the next word. */
interface ReadWord {
  readonly complete: readonly string[];
  readonly open?: string;
}

/** `--name`, `--name=value`. */
function longOption(table: Table, word: string): ReadWord {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const option = table.get(name, word);
  if (option.kind === "flag") {
    if (equals < 0) return { complete: [`--${name}=true`] };
    if (/=(true|false)$/.test(word)) return { complete: [word] };
    throw table.error(`Cannot use ${word}: --${name} takes no value`);
  }
  return equals < 0 ? { complete: [], open: name } : { complete: [word] };
}

/** `-f`, `-qf`, `-e VALUE`, `-eVALUE`, `-e=VALUE`. */
function shortOptions(table: Table, word: string): ReadWord {
  const complete: string[] = [];
  for (let at = 1; at < word.length; at++) {
    const name = table.longName(word[at] as string, word);
    if (table.get(name, word).kind === "flag") {
      complete.push(`--${name}=true`);
      continue;
    }
    const rest = word.slice(at + 1);
    if (rest === "") return { complete, open: name };
    complete.push(`--${name}=${rest.startsWith("=") ? rest.slice(1) : rest}`);
    break;
  }
  return { complete };
}

/** The options that can stand at a place of the command line. */
class Table {
  readonly #options: Options;
  readonly #command: string | undefined;

  constructor(options: Options, command: string | undefined) {
    this.#options = options;
    this.#command = command;
  }

  get(name: string, word: string): Option {
    const option = Object.hasOwn(this.#options, name) ? this.#options[name] : undefined;
    if (option !== undefined) return option;
    const nearest = nearestOf(name, Object.keys(this.#options));
    const shown = word.split("=", 1)[0] ?? word;
    const hint = suggestion(nearest, (near) => `--${near}`) || `; see ${this.#help}`;
    throw this.error(`Cannot use ${shown}: the option is not known${hint}`, {
      option: shown,
      ...(nearest === null ? {} : { nearest: `--${nearest}` }),
    });
  }

  get #help(): string {
    return `layerfs ${this.#command === undefined ? "" : `${this.#command} `}--help`;
  }

  longName(letter: string, word: string): string {
    const found = Object.entries(this.#options).find(([, option]) => option.short === letter);
    if (found !== undefined) return found[0];
    const where = word.length > 2 ? ` of ${word}` : "";
    throw this.error(`Cannot use -${letter}${where}: the option is not known; see ${this.#help}`);
  }

  /** The value of an option that stands in the word after it. */
  valueAfter(name: string, next: string | undefined): string {
    if (next === undefined) throw this.error(`Cannot use --${name}: its value is missing`);
    // "--name --json" has lost its value; whoever means it can write "--name=--json".
    if (next.startsWith("--") && Object.hasOwn(this.#options, next.slice(2))) {
      throw this.error(`Cannot use --${name}: its value is missing before ${next}`);
    }
    return next;
  }

  error(message: string, data: Readonly<Record<string, string>> = {}): LayerfsError {
    return new LayerfsError("usage", message, { command: this.#command ?? null, ...data });
  }
}
