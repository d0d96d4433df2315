/**
 * Completions for fish.
 *
 * @module
 */

import { COMMAND_WORDS, GLOBAL_WORDS, type OptionWords, TRANSPORTS } from "./words.ts";

/** Text inside the single quotes of fish, whose escapes differ from those of POSIX shells. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** What completes an operand or an option's value, as arguments of `complete`. */
function action(completes: string | undefined, choices: readonly string[]): string {
  if (choices.length > 0) return `-xa ${quote(choices.join(" "))}`;
  if (completes === "file") return "-rF";
  if (completes === "directory") return "-xa '(__fish_complete_directories)'";
  if (completes === "image") return "-rFa '(__layerfs_image)'";
  if (completes === "stored") return "-xa '(__layerfs_stored)'";
  if (completes === "container") return "-xa '(__layerfs_container)'";
  return "-x";
}

function optionLine(option: OptionWords, condition: string): string {
  const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
  const value = option.takesValue ? ` ${action(option.completes, option.choices)}` : "";
  const name = `-l ${option.long.slice(2)}${short}`;
  return `complete -c layerfs${condition} ${name}${value} -d ${quote(option.help)}\n`;
}

/** The script that `layerfs completions fish` prints. */
export function fishCompletions(): string {
  const names = COMMAND_WORDS.map((command) => command.name).join(" ");
  const lines = COMMAND_WORDS.map((command) => {
    const condition = ` -n '__fish_seen_subcommand_from ${command.name}'`;
    const own = command.options.map((option) => optionLine(option, condition)).join("");
    const operand = command.completes === undefined && command.choices.length === 0
      ? ""
      : `complete -c layerfs${condition} ${action(command.completes, command.choices)}\n`;
    return `complete -c layerfs -n __layerfs_no_command -a ${command.name} -d ${
      quote(command.summary)
    }\n${own}${operand}`;
  }).join("\n");
  return `# Completions of layerfs for fish, made by "layerfs completions fish".

function __layerfs_no_command
    not __fish_seen_subcommand_from ${names}
end

function __layerfs_image
    set -l word (commandline -ct)
    if string match -q '*:*' -- $word
        set -l parts (string split -m 1 : -- $word)
        for path in (__fish_complete_path $parts[2])
            echo $parts[1]:$path
        end
    else
        printf '%s\\n' ${TRANSPORTS.join(" ")}
    end
end

function __layerfs_container
    layerfs ps --quiet 2>/dev/null
end

function __layerfs_stored
    layerfs images --quiet 2>/dev/null
end

complete -c layerfs -f
${GLOBAL_WORDS.map((option) => optionLine(option, "")).join("")}
${lines}`;
}
