/**
 * Completions for bash.
 *
 * @module
 */

import { COMMAND_WORDS, GLOBAL_WORDS, type OptionWords, TRANSPORTS } from "./words.ts";

/** What bash runs to complete the value of an option, or an operand. */
function action(completes: string | undefined, choices: readonly string[]): string {
  if (choices.length > 0) return `_layerfs_words ${JSON.stringify(choices.join(" "))}`;
  if (completes === "file") return "_layerfs_paths -f";
  if (completes === "directory") return "_layerfs_paths -d";
  if (completes === "image") return "_layerfs_image";
  if (completes === "stored") return "_layerfs_stored";
  if (completes === "container") return "_layerfs_container";
  return ":";
}

/** The `case` arms that complete option values. */
function valueArms(options: readonly OptionWords[], prefix: string): string {
  return options.filter((option) => option.takesValue).map((option) => {
    const names = [option.long, option.short].filter((name) => name !== undefined);
    const pattern = names.map((name) => `"${prefix}${name}"`).join("|");
    return `    ${pattern}) ${action(option.completes, option.choices)}; return ;;\n`;
  }).join("");
}

function names(options: readonly OptionWords[]): string {
  return options.map((option) => option.long).join(" ");
}

/** What the parts of the script have in common. */
const HELPERS = `# Completions of layerfs for bash, made by "layerfs completions bash".

_layerfs_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }

_layerfs_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Bash splits words at colons: what stands before the last one is not part of the answer.
_layerfs_image() {
  compopt -o nospace 2>/dev/null
  local line="\${COMP_LINE:0:COMP_POINT}" word
  word="\${line##* }"
  case "$word" in
    *:*) cur="\${word#*:}"; _layerfs_paths -f ;;
    *) _layerfs_words "${TRANSPORTS.join(" ")}" ;;
  esac
}

_layerfs_container() {
  _layerfs_words "$("\${COMP_WORDS[0]}" ps --quiet 2>/dev/null)"
}

# Bash splits words at colons here too.
_layerfs_stored() {
  local line="\${COMP_LINE:0:COMP_POINT}" word name names=""
  word="\${line##* }"
  for name in $("\${COMP_WORDS[0]}" images --quiet 2>/dev/null); do
    case "$word" in
      *:*) [[ $name == "\${word%:*}:"* ]] && names+=" \${name##*:}" ;;
      *) names+=" $name" ;;
    esac
  done
  [[ $word == *:* ]] && cur="\${word##*:}"
  _layerfs_words "$names"
}
`;

/** The script that `layerfs completions bash` prints. */
export function bashCompletions(): string {
  const globalNames = names(GLOBAL_WORDS);
  const valued = GLOBAL_WORDS.filter((option) => option.takesValue).map((option) => option.long);
  const commands = COMMAND_WORDS.map((command) => command.name).join(" ");
  const optionArms = COMMAND_WORDS.map(({ name, options }) =>
    `      ${name}) _layerfs_words ${
      JSON.stringify(`${names(options)} ${globalNames}`.trim())
    } ;;\n`
  ).join("");
  const operandArms = COMMAND_WORDS.map(({ name, completes, choices }) =>
    `    ${name}) ${action(completes, choices)} ;;\n`
  ).join("");
  return `${HELPERS}
_layerfs() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="" command="" at
  COMPREPLY=()
  ((COMP_CWORD > 0)) && prev="\${COMP_WORDS[COMP_CWORD - 1]}"
  # "--option=value" comes as three words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]]; then
    prev="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      ${valued.join("|")})
        [[ \${COMP_WORDS[at + 1]} == "=" ]] && ((at++))
        ((at++)) ;;
      -*|=) ;;
      *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  case "$command $prev" in
${COMMAND_WORDS.map(({ name, options }) => valueArms(options, `${name} `)).join("")}  esac
  case "$prev" in
${valueArms(GLOBAL_WORDS, "")}  esac
  if [[ $cur == -* ]]; then
    case "$command" in
${optionArms}      *) _layerfs_words ${JSON.stringify(globalNames)} ;;
    esac
    return
  fi
  case "$command" in
    "") _layerfs_words "${commands}" ;;
${operandArms}  esac
}

complete -F _layerfs layerfs
`;
}
