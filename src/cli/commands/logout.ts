/**
 * `layerfs logout`.
 *
 * @module
 */

import { logout as logOut } from "../../registry/login.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registrySettings } from "../registry_access.ts";
import { registryHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";

/** Removes credentials and prints the registry that they were for. */
export async function logout(
  { values, operands }: Input<(typeof SPECS)["logout"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const host = registryHost(operands[0] ?? "");
  const { removed, remains } = await logOut(host, await registrySettings(values, context));
  return {
    document: { registry: host, removed, remains },
    text: `${host}\n`,
    warnings: remains
      ? [
        `other files still have credentials for "${host}"; log out with the program that made them`,
      ]
      : [],
    remark: removed.length === 0
      ? `there were no credentials for ${host}`
      : `removed from ${removed.join(", ")}`,
  };
}
