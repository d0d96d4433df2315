/**
 * Logging in to registries and out of them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { helperFor, readAuthFile } from "./auth_file.ts";
import { updateAuthFile } from "./auth_file_update.ts";
import { RegistryClient } from "./client.ts";
import { eraseFromHelper, storeInHelper } from "./credential_helper.ts";
import type { Credentials } from "./credentials.ts";
import { findCredentials, type RegistrySettings } from "./settings.ts";
import type { Timing } from "./timing.ts";

/** Where credentials are kept: a file's path, or the program that keeps them. */
export type CredentialPlace = string;

/** How {@linkcode login} asks. */
export interface LoginOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** For tests. */
  readonly timing?: Partial<Timing>;
}

/**
 * Asks a registry whether it knows these credentials, and keeps them if it does: in the first of the
 * files of credentials, or with the helper that this file names.
 *
 * @param host such as "docker.io" or "registry.example.com:5000"
 * @returns where they are kept
 * @throws {LayerfsError} `unauthorized` where the registry refuses them, and as `RegistryClient`
 */
export async function login(
  host: string,
  credentials: Credentials,
  settings: RegistrySettings,
  { signal, timing }: LoginOptions = {},
): Promise<CredentialPlace> {
  const file = loginFile(settings);
  const asked = { ...settings, credentials: { host, credentials } };
  await using client = RegistryClient.forHost(host, asked, timing);
  await client.ping(signal);
  const kept = await readAuthFile(file);
  const helper = kept === null ? null : helperFor(kept, host);
  if (helper === null) {
    await updateAuthFile(file, host, credentials);
    return file;
  }
  await storeInHelper(helper, host, credentials);
  return `docker-credential-${helper}`;
}

/** What {@linkcode logout} has done. */
export interface Logout {
  /** Where credentials were taken out. */
  readonly removed: readonly CredentialPlace[];
  /** Whether other files still have some, which other programs have put there. */
  readonly remains: boolean;
}

/**
 * Forgets the credentials for a registry, where {@linkcode login} would keep them.
 *
 * @throws {LayerfsError} as the reading and writing of the file, and its helper, do
 */
export async function logout(host: string, settings: RegistrySettings): Promise<Logout> {
  const path = loginFile(settings);
  const removed: CredentialPlace[] = [];
  const file = await readAuthFile(path);
  const helper = file === null ? null : helperFor(file, host);
  if (helper !== null && await eraseFromHelper(helper, host)) {
    removed.push(`docker-credential-${helper}`);
  }
  if (await updateAuthFile(path, host, null)) removed.push(path);
  const { credentials: _, ...rest } = settings;
  const remains = await findCredentials({ ...rest, authFileNamed: false }, host, "") !== null;
  return { removed, remains };
}

function loginFile({ authFiles: [first] }: RegistrySettings): string {
  if (first !== undefined) return first;
  throw new LayerfsError(
    "usage",
    "Cannot tell where credentials are kept: neither XDG_RUNTIME_DIR nor HOME is set; give --authfile",
  );
}
