/**
 * What the command line and the environment say of registries.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parseReference } from "../oci/reference.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { RegistryOptions, RegistrySettings } from "../registry/settings.ts";
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

/** From the options of a command to what sources and destinations take. */
export function registryAccess(values: RegistryValues, context: Context): RegistryAccess {
  let settings: Promise<RegistrySettings> | undefined;
  return { registry: () => settings ??= registrySettings(values, context) };
}

/** The same for a command with `--pull`. */
export function pullAccess(
  values: RegistryValues & { readonly pull: PullPolicy | undefined },
  context: Context,
): RegistryAccess & { readonly pull?: PullPolicy } {
  const { pull } = values;
  return { ...registryAccess(values, context), ...(pull === undefined ? {} : { pull }) };
}

/**
 * Finds and reads what is known of registries.
 *
 * @throws {LayerfsError} `usage`, `not-found`, `permission-missing`
 */
export async function registrySettings(
  values: Partial<RegistryValues>,
  { io }: Context,
): Promise<RegistrySettings> {
  const { loadRegistrySettings, REGISTRY_VARIABLES } = await import("../registry/settings.ts");
  const { authfile, creds } = values;
  const certDir = values["cert-dir"];
  const tlsVerify = values["tls-verify"];
  const options: RegistryOptions = {
    ...(tlsVerify === undefined ? {} : { tlsVerify: tlsVerify === "true" }),
    ...(certDir === undefined ? {} : { certDir }),
    ...(authfile === undefined ? {} : { authFile: authfile }),
    ...(creds === undefined ? {} : { credentials: await credentialsOf(creds, io.readSecret) }),
  };
  return await loadRegistrySettings(options, io.env(REGISTRY_VARIABLES), { uid: io.uid() });
}

/**
 * The registry that an operand names, such as "docker.io" or "localhost:5000".
 *
 * @throws {LayerfsError} `usage`
 */
export function registryHost(typed: string): string {
  const host = hostOrNull(typed);
  if (host === typed || (host !== null && typed === "index.docker.io")) return host;
  throw new LayerfsError(
    "usage",
    `Cannot use "${typed}" as a registry: it is not HOST or HOST:PORT, such as docker.io`,
    { registry: typed },
  );
}

function hostOrNull(typed: string): string | null {
  try {
    const reference = parseReference(`docker://${typed}/x`);
    return reference.transport === "docker" ? reference.host : null;
  } catch (error) {
    // It speaks of a reference that nobody has typed.
    if (error instanceof LayerfsError) return null;
    throw error;
  }
}

/** A password on the command line is the user's choice: others of the machine can see it there. */
async function credentialsOf(creds: string, ask: (prompt: string) => string): Promise<Credentials> {
  const { Credentials } = await import("../registry/credentials.ts");
  const { parseCredentials } = await import("../registry/settings.ts");
  return creds.includes(":")
    ? parseCredentials(creds)
    : Credentials.password(creds, ask(`Password of ${creds}: `));
}
