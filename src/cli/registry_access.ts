/**
 * What the command line and the environment say of registries.
 *
 * @module
 */

import type { HostCredentials, RegistryOptions, RegistrySettings } from "../registry/settings.ts";
import type { PullPolicy } from "../source/name_source.ts";
import type { Context } from "./context.ts";
import type { Values } from "./spec.ts";
import type { REGISTRY_OPTIONS } from "./specs/options.ts";

/** Values of the options of the commands that may reach a registry. */
export type RegistryValues = Values<typeof REGISTRY_OPTIONS>;

/** How registries are reached: a part of `SourcePlaces`. */
export interface RegistryAccess {
  /** Looks at environment and files when it is first called, as most commands reach no registry. */
  readonly registry: () => Promise<RegistrySettings>;
}

/** Gives the registry that `--creds` is for; null where the command line names none. */
export type HostOfCredentials = () => string | null;

/**
 * From the options of a command to what sources and destinations take.
 *
 * @param host called when registries are first asked for
 */
export function registryAccess(
  values: RegistryValues,
  context: Context,
  host: HostOfCredentials,
): RegistryAccess {
  let settings: Promise<RegistrySettings> | undefined;
  return { registry: () => settings ??= registrySettings(values, context, host) };
}

/** The same for a command with `--pull`. */
export function pullAccess(
  values: RegistryValues & { readonly pull: PullPolicy | undefined },
  context: Context,
  host: HostOfCredentials,
): RegistryAccess & { readonly pull?: PullPolicy } {
  const { pull } = values;
  return { ...registryAccess(values, context, host), ...(pull === undefined ? {} : { pull }) };
}

/**
 * Finds and reads what is known of registries.
 *
 * @throws {LayerfsError} `usage`, `not-found`, `permission-missing`
 */
export async function registrySettings(
  values: Partial<RegistryValues>,
  { io }: Context,
  host: HostOfCredentials = () => null,
): Promise<RegistrySettings> {
  const { loadRegistrySettings, REGISTRY_VARIABLES }: typeof import("../registry/settings.ts") =
    await import(import.meta.resolve("../registry/settings.ts"));
  const { authfile, creds } = values;
  const certDir = values["cert-dir"];
  const tlsVerify = values["tls-verify"];
  const at = creds === undefined ? null : host();
  const options: RegistryOptions = {
    ...(tlsVerify === undefined ? {} : { tlsVerify: tlsVerify === "true" }),
    ...(certDir === undefined ? {} : { certDir }),
    ...(authfile === undefined ? {} : { authFile: authfile }),
    ...(creds === undefined || at === null
      ? {}
      : { credentials: await credentialsOf(creds, at, io.readSecret) }),
  };
  return await loadRegistrySettings(options, io.env(REGISTRY_VARIABLES), { uid: io.uid() });
}

/** A password on the command line is the user's choice: others of the machine can see it there. */
async function credentialsOf(
  creds: string,
  host: string,
  ask: Context["io"]["readSecret"],
): Promise<HostCredentials> {
  const { Credentials }: typeof import("../registry/credentials.ts") = await import(
    import.meta.resolve("../registry/credentials.ts")
  );
  const { parseCredentials }: typeof import("../registry/settings.ts") = await import(
    import.meta.resolve("../registry/settings.ts")
  );
  const credentials = creds.includes(":") ? parseCredentials(creds) : Credentials.password(
    creds,
    ask(`Password of ${creds} at ${host}: `, `give it as ${creds}:PASSWORD, or log in`),
  );
  return { host, credentials };
}
