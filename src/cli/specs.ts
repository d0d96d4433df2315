/**
 * The one table of the command line: every option and every command of layerfs. Its parts are in
 * specs/, by theme.
 *
 * A new command is an entry there, a file in commands/ and a line in commands.ts; its parsing, its
 * help and its completions follow.
 *
 * @module
 */

import type { CommandSpec } from "./spec.ts";
import { CHANGE_SPECS } from "./specs/changes.ts";
import { CONTAINER_SPECS } from "./specs/containers.ts";
import { IMAGE_SPECS } from "./specs/images.ts";
import { STORE_SPECS } from "./specs/store.ts";

export { GLOBAL_OPTIONS } from "./specs/options.ts";

/** Every command, in the order in which help lists them. */
export const SPECS = { ...CONTAINER_SPECS, ...CHANGE_SPECS, ...IMAGE_SPECS, ...STORE_SPECS };

/** The name of a command. */
export type CommandName = keyof typeof SPECS;

/** Every command's name, in the order of {@linkcode SPECS}. */
export const COMMAND_NAMES = Object.keys(SPECS) as readonly CommandName[];

/** The description of a command, with its options under their general type. */
export function specOf(name: CommandName): CommandSpec {
  return SPECS[name];
}
