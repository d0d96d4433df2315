/**
 * `layerfs gc`.
 *
 * @module
 */

import { removeUnused } from "../../container/gc.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatBytes } from "../style.ts";

/** Removes what nothing needs and prints it, one name a line. */
export async function gc(
  { values }: Input<(typeof SPECS)["gc"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const dryRun = values["dry-run"];
  const document = await removeUnused({ ...context.store(), dryRun, signal: context.signal });
  const { layers, blobs, staging, deferred, freedBytes } = document;
  const lines = [
    ...layers.map((chainId) => `layer ${chainId}`),
    ...blobs.map((digest) => `blob ${digest}`),
    ...staging.map((name) => `staging ${name}`),
  ];
  const warnings = deferred.map((chainId) =>
    `layer ${chainId} stays until what was cloned from it, or holds it, outside of layerfs is gone`
  );
  return {
    document,
    text: lines.map((line) => `${line}\n`).join(""),
    warnings,
    remark: `${dryRun ? "would free" : "freed"} ${formatBytes(freedBytes)}`,
  };
}
