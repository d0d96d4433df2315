/**
 * What the completions of every shell are made of: the table, flattened.
 *
 * @module
 */

import type { Completes, Option, Options } from "../spec.ts";
import { COMMAND_NAMES, GLOBAL_OPTIONS, specOf } from "../specs.ts";

/** An option as shells complete it. */
export interface OptionWords {
  /** With its dashes: `--store`. */
  readonly long: string;
  /** With its dash: `-e`; undefined where there is none. */
  readonly short: string | undefined;
  readonly help: string;
  readonly takesValue: boolean;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
  readonly completes: Completes | undefined;
}

/** A command as shells complete it. */
export interface CommandWords {
  readonly name: string;
  readonly summary: string;
  /** Its own options; those of every command are {@linkcode GLOBAL_WORDS}. */
  readonly options: readonly OptionWords[];
  readonly choices: readonly string[];
  readonly completes: Completes | undefined;
  /** Whether a second operand may follow the first. */
  readonly many: boolean;
}

/** Transports of image references, which complete before the path behind them. */
export const TRANSPORTS = ["oci:", "oci-archive:", "docker-archive:"] as const;

/** The options of every command. */
export const GLOBAL_WORDS: readonly OptionWords[] = optionWords(GLOBAL_OPTIONS);

/** Every command. */
export const COMMAND_WORDS: readonly CommandWords[] = COMMAND_NAMES.map((name) => {
  const spec = specOf(name);
  return {
    name,
    summary: spec.summary,
    options: optionWords(spec.options),
    choices: spec.operands.choices ?? [],
    completes: spec.operands.completes,
    many: spec.operands.max > 1 && !spec.operands.endOptions,
  };
});

function optionWords(options: Options): OptionWords[] {
  return Object.entries(options).map(([name, option]: [string, Option]) => ({
    long: `--${name}`,
    short: option.short === undefined ? undefined : `-${option.short}`,
    help: option.help,
    takesValue: option.kind !== "flag",
    repeatable: option.kind === "list",
    choices: option.kind === "choice" ? option.choices : [],
    completes: option.kind === "flag" ? undefined : option.completes,
  }));
}

/** Text inside the single quotes of a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
