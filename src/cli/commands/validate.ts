/**
 * `layerfs validate`.
 *
 * @module
 */

import { exitStatus } from "../../errors.ts";
import { parseReference } from "../../oci/reference.ts";
import { validateImage } from "../../validate/validate.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";
import { formatTable } from "../table.ts";

const HEAD = ["POINT", "OUTCOME", "LEVEL", "RULE", "WHERE", "DETAIL"];

/** Column of the outcome, which has a colour. */
const OUTCOME = 1;

/** Checks an image against every point of the specifications; fails if one MUST is broken. */
export async function validate(
  { values, operands }: Input<(typeof SPECS)["validate"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const image = operands[0] ?? "";
  const document = await validateImage(image, context.globals["digest-engine"], {
    // Whoever validates a directory needs no permission to look for a store.
    ...(parseReference(image).transport === "store" ? { store: context.store().store } : {}),
    ...registryAccess(values, context, () => imageHost(image)),
  });
  const { points, valid } = document;
  const shown = context.globals.quiet
    ? points.filter(({ outcome }) => outcome === "fail" || outcome === "warn")
    : points;
  const rows = shown.map(({ id, outcome, level, rule, where, detail }) => [
    `${id}`,
    outcome,
    level,
    rule,
    where === "" ? "-" : where,
    detail,
  ]);
  const { green, yellow, red } = context.style;
  const colours: Readonly<Record<string, (text: string) => string>> = {
    pass: green,
    warn: yellow,
    fail: red,
  };
  const table = formatTable(HEAD, rows, context.style, (cell, column) => {
    const colour = column === OUTCOME ? colours[cell.trim()] : undefined;
    return colour === undefined ? cell : colour(cell);
  });
  const count = (wanted: string) => points.filter(({ outcome }) => outcome === wanted).length;
  const verdict = `${valid ? "valid" : "not valid"}: ${count("pass")} passed, ` +
    `${count("warn")} warnings, ${count("fail")} failed, ${count("skip")} without a subject\n`;
  return {
    status: valid ? 0 : exitStatus("image-invalid"),
    document,
    text: rows.length === 0 ? verdict : `${table}\n${verdict}`,
  };
}
