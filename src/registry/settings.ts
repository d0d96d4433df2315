/**
 * What is known of registries on this machine: the one place where the environment and the usual
 * files are looked up, and only what the caller passes in is believed.
 *
 * @example
 * ```ts
 * import { loadRegistrySettings } from "./settings.ts";
 *
 * const settings = await loadRegistrySettings({ tlsVerify: true }, new Map([["HOME", "/nowhere"]]), {
 *   etc: "/nowhere",
 * });
 * console.assert(settings.authFiles[0]?.endsWith("/containers/auth.json"));
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { helperFor, readAuthFile, storedCredentials } from "./auth_file.ts";
import { type Certificates, readCertificates } from "./certificates.ts";
import { askHelper } from "./credential_helper.ts";
import { Credentials } from "./credentials.ts";
import { mergeEntries, parseRegistriesConf, type RegistryEntry } from "./registries_conf.ts";
import { listSettings, readSettingsFile } from "./settings_file.ts";

/** Credentials, and the only registry that they may go to. */
export interface HostCredentials {
  /** Host and perhaps port; "docker.io" for Docker Hub. */
  readonly host: string;
  /** Who to be there. */
  readonly credentials: Credentials;
}

/** What the command line says. */
export interface RegistryOptions {
  /** `--tls-verify`; undefined leaves it to registries.conf. */
  readonly tlsVerify?: boolean;
  /** `--cert-dir`: certificates for every registry, instead of those of certs.d. */
  readonly certDir?: string;
  /** `--authfile`. */
  readonly authFile?: string;
  /** `--creds`, for one registry. */
  readonly credentials?: HostCredentials;
}

/** The only directory of certificates, or those that have one for each host, in order. */
export type CertificateDirectories =
  | { readonly only: string }
  | { readonly below: readonly string[] };

/** Where this machine has its settings. */
export interface RegistryMachine {
  /** The directory that stands for /etc. */
  readonly etc?: string;
  /** The user's number, by which podman names a file of credentials where there is no session. */
  readonly uid?: number;
}

/** Everything that a client has to know of registries. */
export interface RegistrySettings {
  /** Whether certificates are verified, whatever registries.conf says. */
  readonly tlsVerify?: boolean;
  /** Entries of registries.conf and its drop-ins. */
  readonly registries: readonly RegistryEntry[];
  /** Where certificates are. */
  readonly certificates: CertificateDirectories;
  /** Files with credentials, in the order in which they are read; logins go to the first. */
  readonly authFiles: readonly string[];
  /** Whether the first one was named, so that it must be there. */
  readonly authFileNamed: boolean;
  /** Whom to be at one registry, whatever the files say; its mirrors are others. */
  readonly credentials?: HostCredentials;
}

/** Variables that {@linkcode loadRegistrySettings} looks at. */
export const REGISTRY_VARIABLES = [
  "HOME",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "REGISTRY_AUTH_FILE",
  "DOCKER_CONFIG",
  "CONTAINERS_REGISTRIES_CONF",
] as const;

/**
 * Finds and reads the settings of this machine.
 *
 * @param environment values of {@linkcode REGISTRY_VARIABLES}, where they are set
 * @throws {LayerfsError} `usage` for a file that is not as its manual page says, `not-found` for a
 * file that is named and is not there
 */
export async function loadRegistrySettings(
  options: RegistryOptions,
  environment: ReadonlyMap<string, string>,
  machine: RegistryMachine = {},
): Promise<RegistrySettings> {
  const system = machine.etc ?? "/etc";
  const home = environment.get("HOME");
  const config = environment.get("XDG_CONFIG_HOME") || (home ? `${home}/.config` : undefined);
  const user = config === undefined ? [] : [`${config}/containers`];
  const named = options.authFile ?? environment.get("REGISTRY_AUTH_FILE");
  const docker = environment.get("DOCKER_CONFIG") || (home ? `${home}/.docker` : undefined);
  const runtime = environment.get("XDG_RUNTIME_DIR");
  const session = runtime
    ? `${runtime}/containers`
    : machine.uid === undefined
    ? undefined
    : `/run/containers/${machine.uid}`;
  const usual = [
    ...(session === undefined ? [] : [`${session}/auth.json`]),
    ...user.map((directory) => `${directory}/auth.json`),
    ...(docker === undefined ? [] : [`${docker}/config.json`]),
  ];
  return {
    ...(options.tlsVerify === undefined ? {} : { tlsVerify: options.tlsVerify }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    registries: await readRegistries(
      environment.get("CONTAINERS_REGISTRIES_CONF"),
      [`${system}/containers`, ...user],
    ),
    certificates: options.certDir === undefined
      ? {
        below: [...user, `${system}/containers`, `${system}/docker`].map((directory) =>
          `${directory}/certs.d`
        ),
      }
      : { only: options.certDir },
    authFiles: named ? [named] : usual,
    authFileNamed: Boolean(named),
  };
}

/**
 * `USER:PASSWORD`, as `--creds` takes it.
 *
 * @throws {LayerfsError} `usage` where there is no password, without a word of what was given
 */
export function parseCredentials(text: string): Credentials {
  const colon = text.indexOf(":");
  if (colon < 1) {
    throw new LayerfsError("usage", "Cannot read --creds: it is not USER:PASSWORD");
  }
  return Credentials.password(text.slice(0, colon), text.slice(colon + 1));
}

/**
 * Who to be to a repository of a registry; null where nothing is known.
 *
 * @throws {LayerfsError} `usage` for a damaged file, `not-found` for one that was named and is not
 * there, `unauthorized` where a credential helper fails
 */
export async function findCredentials(
  settings: RegistrySettings,
  host: string,
  repository: string,
  signal?: AbortSignal,
): Promise<Credentials | null> {
  if (settings.credentials?.host === host) return settings.credentials.credentials;
  for (const path of settings.authFiles) {
    const file = await readAuthFile(path);
    if (file === null) {
      if (!settings.authFileNamed) continue;
      const state = "no such file; log in with layerfs login, or name another by --authfile";
      throw new LayerfsError("not-found", `Cannot read "${path}": ${state}`);
    }
    const helper = helperFor(file, host);
    const kept = helper === null ? null : await askHelper(helper, host, signal);
    const found = kept ?? storedCredentials(file, host, repository);
    if (found !== null) return found;
  }
  return null;
}

/** The certificates for a host; null where there are none of its own. */
export async function findCertificates(
  { certificates }: RegistrySettings,
  host: string,
): Promise<Certificates | null> {
  if ("only" in certificates) {
    const found = await readCertificates(certificates.only);
    if (found !== null) return found;
    const state = "no certificates (*.crt, or *.cert and *.key) are there";
    throw new LayerfsError("not-found", `Cannot use --cert-dir "${certificates.only}": ${state}`);
  }
  // A redirect can lead to "https://../", which must not lead out of these directories.
  if (host.startsWith(".")) return null;
  for (const directory of certificates.below) {
    const found = await readCertificates(`${directory}/${host}`);
    if (found !== null) return found;
  }
  return null;
}

/**
 * The main file is the named one, else the user's, else the system's; then come the drop-ins of the
 * system and of the user (containers-registries.conf.d(5)), which a named file is free of.
 */
async function readRegistries(
  named: string | undefined,
  directories: readonly string[],
): Promise<RegistryEntry[]> {
  if (named) {
    const text = await readSettingsFile(named);
    if (text !== null) return mergeEntries([parseRegistriesConf(text, named)]);
    throw new LayerfsError("not-found", `Cannot read "${named}": no such file`);
  }
  const mains = directories.map((directory) => `${directory}/registries.conf`);
  const files: RegistryEntry[][] = [];
  for (const path of mains.reverse()) {
    const text = await readSettingsFile(path);
    if (text === null) continue;
    files.push(parseRegistriesConf(text, path));
    break;
  }
  for (const directory of directories) {
    for (const name of await listSettings(`${directory}/registries.conf.d`, ".conf")) {
      const path = `${directory}/registries.conf.d/${name}`;
      files.push(parseRegistriesConf(await readSettingsFile(path) ?? "", path));
    }
  }
  return mergeEntries(files);
}
