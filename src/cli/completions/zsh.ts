/**
 * Completions for zsh.
 *
 * @module
 */

import {
  COMMAND_WORDS,
  type CommandWords,
  GLOBAL_WORDS,
  type OptionWords,
  quote,
  TRANSPORTS,
} from "./words.ts";

/** The action of an `_arguments` specification. */
function action(completes: string | undefined, choices: readonly string[]): string {
  if (choices.length > 0) return `(${choices.join(" ")})`;
  if (completes === "file") return "_files";
  if (completes === "directory") return "_files -/";
  if (completes === "image") return "_layerfs_image";
  if (completes === "stored") return "_layerfs_stored";
  if (completes === "container") return "_layerfs_container";
  return "";
}

/** `_arguments` takes brackets and colons as its own. */
function escape(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

/** One specification for each way an option is written. */
function specifications(option: OptionWords): string[] {
  const value = option.takesValue ? `:value:${action(option.completes, option.choices)}` : "";
  return [option.long, option.short].filter((name) => name !== undefined).map((name) => {
    const glue = !option.takesValue ? "" : name.startsWith("--") ? "=" : "+";
    const again = option.repeatable ? "*" : "";
    return quote(`${again}${name}${glue}[${escape(option.help)}]${value}`);
  });
}

function commandArm(command: CommandWords): string {
  const operand = action(command.completes, command.choices);
  const operands = operand === "" ? [] : [quote(`${command.many ? "*" : "1"}:operand:${operand}`)];
  // What follows the image is a command line of its own.
  const rest = command.completes === "image" && !command.many ? [quote("*::command:_normal")] : [];
  const words = [...command.options.flatMap(specifications), ...operands, ...rest, '"$globals[@]"'];
  return `    ${command.name})\n      _arguments -s -S ${words.join(" \\\n        ")} ;;\n`;
}

/** The script that `layerfs completions zsh` prints. */
export function zshCompletions(): string {
  const globals = GLOBAL_WORDS.flatMap(specifications).map((word) => `    ${word}\n`).join("");
  const commands = COMMAND_WORDS.map(({ name, summary }) =>
    `    ${quote(`${name}:${escape(summary)}`)}\n`
  ).join("");
  return `#compdef layerfs
# Completions of layerfs for zsh, made by "layerfs completions zsh".

_layerfs_image() {
  if compset -P '*:'; then
    _files
  else
    compadd -S '' -- ${TRANSPORTS.join(" ")}
  fi
}

_layerfs_container() {
  compadd -- \${(f)"$(layerfs ps --quiet 2>/dev/null)"}
}

_layerfs_stored() {
  compadd -- \${(f)"$(layerfs images --quiet 2>/dev/null)"}
}

_layerfs() {
  local curcontext="$curcontext" state line
  local -a globals commands
  globals=(
${globals}  )
  commands=(
${commands}  )
  _arguments -C "$globals[@]" '1:command:->command' '*::argument:->argument'
  if [[ $state == command ]]; then
    _describe command commands
    return
  fi
  [[ $state == argument ]] || return
  case $line[1] in
${COMMAND_WORDS.map(commandArm).join("")}  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _layerfs "$@"
else
  compdef _layerfs layerfs
fi
`;
}
