/**
 * `layerfs login`.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { Credentials } from "../../registry/credentials.ts";
import { login as logIn } from "../../registry/login.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { registrySettings } from "../registry_access.ts";
import { registryHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";

/** Checks credentials with a registry, keeps them and prints where. */
export async function login(
  { values, operands }: Input<(typeof SPECS)["login"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const host = registryHost(operands[0] ?? "");
  const settings = await registrySettings(values, context);
  const username = values.username ?? context.io.ask(`User name at ${host}:`);
  if (username === "") {
    throw new LayerfsError("usage", `Cannot log in to "${host}": the user name is empty`, {
      registry: host,
    });
  }
  // One line end is that of echo or of a file, and no part of the password.
  const password = values["password-stdin"]
    ? context.io.stdin().replace(/\r?\n$/, "")
    : context.io.readSecret(`Password of ${username} at ${host}: `, "use --password-stdin");
  const credentials = Credentials.password(username, password);
  const place = await logIn(host, credentials, settings, { signal: context.signal });
  return {
    document: { registry: host, username, place },
    text: `${host}\n`,
    remark: `credentials of ${username} are kept in ${place}`,
  };
}
