/**
 * Rows as text in columns.
 *
 * @example
 * ```ts
 * import { formatTable } from "./table.ts";
 *
 * console.assert(formatTable(["ID", "SIZE"], [["web", "12 MB"]]) === "ID   SIZE\nweb  12 MB\n");
 * ```
 *
 * @module
 */

import { printable } from "../errors.ts";
import { createStyle, type Style } from "./style.ts";

/** Blanks between two columns. */
const GAP = 2;

/**
 * Lays out rows in columns as wide as their widest cell; the last column is not padded.
 *
 * @param paint changes a finished cell, its padding included (colours)
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style = createStyle(false),
  paint: (cell: string, column: number) => string = (cell) => cell,
): string {
  const clean = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...clean.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[], shape: (cell: string, column: number) => string) =>
    row.map((cell, column) => {
      const last = column === row.length - 1;
      return shape(last ? cell : cell.padEnd((widths[column] ?? 0) + GAP), column);
    }).join("").trimEnd() + "\n";
  return line(head, (cell) => style.bold(cell)) + clean.map((row) => line(row, paint)).join("");
}

/**
 * An object as `name: value` lines, names padded; nested objects are indented, lists stand one item
 * a line.
 */
export function formatFacts(facts: object, indent = ""): string {
  const entries = Object.entries(facts).filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => {
    const label = `${indent}${printable(name)}:`;
    const items = lines(value, `${indent}  `);
    if (items !== undefined) return items === "" ? `${label} -\n` : `${label}\n${items}`;
    return `${label.padEnd(indent.length + width + 1 + GAP)}${scalar(value)}\n`;
  }).join("");
}

/** The lines of a value that takes lines of its own; undefined for one that does not. */
function lines(value: unknown, indent: string): string | undefined {
  if (value === null || typeof value !== "object") return undefined;
  if (!Array.isArray(value)) return formatFacts(value, indent);
  return value.map((item) =>
    item !== null && typeof item === "object"
      ? formatFacts(item, indent)
      : `${indent}${scalar(item)}\n`
  ).join("");
}

function scalar(value: unknown): string {
  if (value === null) return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return printable(String(value));
}
