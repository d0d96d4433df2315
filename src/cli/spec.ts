/**
 * What a command line consists of, as data: parsing, help and completions are all made from these
 * descriptions, and so are the types of what a command receives.
 *
 * @example
 * ```ts
 * import { choice, command, flag, text, type Values } from "./spec.ts";
 *
 * const wipe = command({
 *   summary: "Remove everything",
 *   help: "Asks nothing.",
 *   operands: { usage: ["DIR"], min: 1, max: 1 },
 *   options: { force: flag("do it"), log: text("FILE", "keep a log in FILE") },
 * });
 * const values: Values<typeof wipe.options> = { force: true, log: undefined };
 * console.assert(values.force && choice(["a", "b"], "x").choices.length === 2);
 * ```
 *
 * @module
 */

/**
 * What a shell offers for a value that the user has not finished typing; `stored` is an image of the
 * store.
 */
export type Completes = "file" | "directory" | "image" | "stored" | "container";

interface OptionBase {
  /** One line, lower case, without a full stop. */
  readonly help: string;
  /** A letter that stands for the option, without its dash. */
  readonly short?: string;
}

/** An option that is there or not. */
export interface FlagOption extends OptionBase {
  readonly kind: "flag";
}

interface ValueBase extends OptionBase {
  /** What the value is called in help, such as `DIR`. */
  readonly value: string;
  readonly completes?: Completes;
  /** Environment variable that gives the value where the option is absent. */
  readonly env?: string;
}

/** An option with a value; the last one counts where it is repeated. */
export interface TextOption extends ValueBase {
  readonly kind: "text";
}

/** An option with one of a few values. */
export interface ChoiceOption<C extends string = string> extends ValueBase {
  readonly kind: "choice";
  readonly choices: readonly C[];
}

/** An option whose every repetition counts. */
export interface ListOption extends ValueBase {
  readonly kind: "list";
}

/** Any option. */
export type Option = FlagOption | TextOption | ChoiceOption | ListOption;

/** Options by their long name. */
export type Options = Readonly<Record<string, Option>>;

/** What a command receives for an option. */
export type Value<O extends Option> = O extends FlagOption ? boolean
  : O extends ListOption ? readonly string[]
  : O extends ChoiceOption<infer C> ? C | undefined
  : string | undefined;

/** What a command receives for its options, by their long names. */
export type Values<O extends Options> = { readonly [N in keyof O]: Value<O[N]> };

/** The arguments of a command that are not options. */
export interface Operands {
  /** How they are written after the options: one line for each way. */
  readonly usage: readonly string[];
  readonly min: number;
  readonly max: number;
  readonly completes?: Completes;
  readonly choices?: readonly string[];
  /**
   * Options end at the first operand, because what follows it is a command line of its own. (A
   * command that takes operands only, such as rm, reads options between and after them.)
   */
  readonly endOptions?: boolean;
}

/** One command. */
export interface CommandSpec<O extends Options = Options> {
  /** One line, a capital first, without a full stop. */
  readonly summary: string;
  /** Paragraphs for `--help`; each is wrapped. */
  readonly help: string;
  readonly operands: Operands;
  readonly options: O;
  /**
   * SIGINT and SIGTERM abort the command, which then cleans up. The others leave nothing behind, and
   * the signals end them at once, also in the middle of a long computation.
   */
  readonly cleansUp?: boolean;
  /** Command lines, without the leading `layerfs`. */
  readonly examples?: readonly string[];
}

type Extra = { readonly short?: string; readonly completes?: Completes; readonly env?: string };

/** Makes a {@linkcode FlagOption}. */
export function flag(help: string, extra: { readonly short?: string } = {}): FlagOption {
  return { kind: "flag", help, ...extra };
}

/** Makes a {@linkcode TextOption}. */
export function text(value: string, help: string, extra: Extra = {}): TextOption {
  return { kind: "text", value, help, ...extra };
}

/** Makes a {@linkcode ListOption}. */
export function list(value: string, help: string, extra: Extra = {}): ListOption {
  return { kind: "list", value, help, ...extra };
}

/** Makes a {@linkcode ChoiceOption}; its value is called by the choices themselves. */
export function choice<const C extends string>(
  choices: readonly C[],
  help: string,
  extra: Extra = {},
): ChoiceOption<C> {
  return { kind: "choice", value: choices.join("|"), choices, help, ...extra };
}

/** Keeps the exact type of a command's options. */
export function command<O extends Options>(spec: CommandSpec<O>): CommandSpec<O> {
  return spec;
}
