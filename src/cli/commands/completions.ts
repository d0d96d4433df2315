/**
 * `layerfs completions`.
 *
 * @module
 */

import { bashCompletions } from "../completions/bash.ts";
import { fishCompletions } from "../completions/fish.ts";
import { zshCompletions } from "../completions/zsh.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";

const SCRIPTS: Readonly<Record<string, () => string>> = {
  bash: bashCompletions,
  fish: fishCompletions,
  zsh: zshCompletions,
};

/** Prints the completion script of a shell; the parser lets no other name come here. */
export function completions(
  { operands }: Input<(typeof SPECS)["completions"]["options"]>,
  _context: Context,
): Promise<Outcome> {
  const shell = operands[0] ?? "";
  const script = SCRIPTS[shell]?.() ?? "";
  return Promise.resolve({ document: { shell, script }, text: script });
}
