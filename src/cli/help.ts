/**
 * Help, made from the table that also parses.
 *
 * @module
 */

import type { CommandSpec, Option, Options } from "./spec.ts";
import { COMMAND_NAMES, type CommandName, GLOBAL_OPTIONS, specOf } from "./specs.ts";

/** Characters of a line. */
const WIDTH = 80;

/** Where the explanations of options begin; longer option names push theirs to the next line. */
const COLUMN = 30;

const EXIT_STATUSES = `Exit status: 0 done, 1 unexpected, 2 usage, 3 the image is invalid or fails \
verification, 4 not found, 5 conflict or busy, 6 a permission, program or privilege is missing, \
7 storage failed (disk full), 130 interrupted and cleaned up.`;

/** The text of `layerfs --help`. */
export function overallHelp(): string {
  const commands = COMMAND_NAMES.map((name) => row(`  ${name}`, specOf(name).summary, 16));
  return [
    "Usage: layerfs [OPTIONS] COMMAND ...\n",
    wrap("Turns OCI images into container root filesystems and runtime bundles."),
    `Commands:\n${commands.join("")}`,
    `Options of every command:\n${optionRows(GLOBAL_OPTIONS)}`,
    wrap('"layerfs COMMAND --help" explains a command.'),
    wrap(EXIT_STATUSES),
  ].join("\n");
}

/** The text of `layerfs COMMAND --help`. */
export function commandHelp(name: CommandName): string {
  const spec: CommandSpec = specOf(name);
  const hasOptions = Object.keys(spec.options).length > 0;
  const parts = [
    spec.operands.usage.map((usage, at) =>
      `${at === 0 ? "Usage:" : "      "} layerfs ${name} [OPTIONS] ${usage}`.trimEnd() + "\n"
    ).join(""),
    ...`${spec.summary}.\n\n${spec.help}`.split("\n\n").map((paragraph) => wrap(paragraph)),
  ];
  if (hasOptions) parts.push(`Options:\n${optionRows(spec.options)}`);
  parts.push(`Options of every command:\n${optionRows(GLOBAL_OPTIONS)}`);
  if (spec.examples !== undefined) {
    parts.push(`Examples:\n${spec.examples.map((line) => `  layerfs ${line}\n`).join("")}`);
  }
  return parts.join("\n");
}

/** How an option is written, without its dashes' meaning: `-e, --env NAME[=VALUE]`. */
function optionLabel(name: string, option: Option): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  return `  ${short}--${name}${option.kind === "flag" ? "" : ` ${option.value}`}`;
}

function optionRows(options: Options): string {
  return Object.entries(options).map(([name, option]) =>
    row(optionLabel(name, option), option.help + notes(option), COLUMN)
  ).join("");
}

/** What is to be known of an option beside its own line. */
function notes(option: Option): string {
  if (option.kind === "flag") return "";
  const many = option.kind === "list" ? " (repeatable)" : "";
  return option.env === undefined ? many : `${many} [${option.env}]`;
}

/** A label and its explanation beside it. */
function row(label: string, explanation: string, column: number): string {
  const indent = " ".repeat(column);
  const lines = wrap(explanation, WIDTH - column).trimEnd().split("\n");
  const body = lines.map((line, at) => at === 0 ? line : indent + line).join("\n");
  return label.length + 2 > column
    ? `${label}\n${indent}${body}\n`
    : `${label.padEnd(column)}${body}\n`;
}

/** Breaks text at blanks. */
function wrap(text: string, width = WIDTH): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n") + "\n";
}
