/**
 * `layerfs fsck`.
 *
 * @module
 */

import { fsck as fsckStore } from "../../container/fsck.ts";
import { exitStatus } from "../../errors.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { storeWork } from "../store_work.ts";
import { formatTable } from "../table.ts";

const HEAD = ["PROBLEM", "SUBJECT", "REPAIRED", "DETAIL"];

/** Checks the store; fails if a problem stays. */
export async function fsck(
  { values }: Input<(typeof SPECS)["fsck"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const { deep, repair } = values;
  const document = await fsckStore({ ...storeWork(context), deep, repair });
  const { problems, checked, waiting } = document;
  const rows = problems.map(({ kind, subject, repaired, detail }) => [
    kind,
    subject,
    repaired ? "yes" : "no",
    detail,
  ]);
  const counts = Object.entries(checked).map(([what, count]) => `${count} ${what}`).join(", ");
  return {
    status: problems.every(({ repaired }) => repaired) ? 0 : exitStatus("storage"),
    document,
    warnings: waiting.map(({ detail }) => detail),
    text: rows.length === 0 ? "" : formatTable(HEAD, rows, context.style),
    remark: `checked ${counts}: ${
      problems.length === 0 ? "all is well" : `${problems.length} problems`
    }`,
  };
}
