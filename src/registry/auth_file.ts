/**
 * Files of credentials: auth.json of podman, skopeo and buildah (containers-auth.json(5)), and
 * Docker's config.json, which is the same but for its keys.
 *
 * No error of this module quotes what such a file holds.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { isObject } from "../oci/fields.ts";
import { Credentials } from "./credentials.ts";
import { readSettingsFile } from "./settings_file.ts";

/** What an auth file says, its unknown members included. */
export interface AuthFile {
  /** Where it is. */
  readonly path: string;
  /** The whole document; changing it changes nothing on disk. */
  readonly document: Record<string, unknown>;
}

/** The key under which Docker keeps what is for Docker Hub. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/**
 * Reads an auth file; null where there is none.
 *
 * @throws {LayerfsError} `usage` where it is no JSON object
 */
export async function readAuthFile(path: string): Promise<AuthFile | null> {
  const text = await readSettingsFile(path);
  if (text === null) return null;
  // An empty file is what `mktemp` makes for --authfile.
  const document = text.trim() === "" ? {} : parseObject(text, path);
  for (const name of ["auths", "credHelpers"]) {
    if (!isObject(document[name] ?? {})) throw damaged(path, `"${name}" is no object`);
  }
  const { credsStore = "" } = document;
  if (typeof credsStore !== "string") throw damaged(path, '"credsStore" is no string');
  return { path, document };
}

/** The credentials that a file itself has for a repository; null where it has none. */
export function storedCredentials(
  file: AuthFile,
  host: string,
  repository: string,
): Credentials | null {
  const auths = file.document.auths ?? {};
  if (!isObject(auths)) return null;
  for (const key of lookupKeys(host, repository)) {
    const match = Object.keys(auths).find((name) => normalizeKey(name) === key);
    const entry = match === undefined ? undefined : auths[match];
    // An entry without content says that a helper has it.
    if (isObject(entry) && Object.keys(entry).length > 0) {
      const credentials = readEntry(entry, `${file.path}", "${key}`);
      if (credentials !== null) return credentials;
    }
  }
  return null;
}

/** The helper that a file names for a registry: what comes after `docker-credential-`. */
export function helperFor({ path, document }: AuthFile, host: string): string | null {
  const helpers = isObject(document.credHelpers) ? document.credHelpers : {};
  const key = Object.keys(helpers).find((name) => normalizeKey(name) === normalizeHost(host));
  const name = key === undefined ? document.credsStore : helpers[key];
  if (name === undefined || name === "") return null;
  // It becomes the name of a program.
  if (typeof name !== "string" || !/^[a-z0-9-]+$/.test(name)) {
    throw damaged(path, "a credential helper has a name other than letters, digits and hyphens");
  }
  return name;
}

/** Keys of a file's entries that are about a registry as a whole, however it is written. */
export function keysOf({ document }: AuthFile, host: string): string[] {
  const auths = isObject(document.auths) ? document.auths : {};
  return Object.keys(auths).filter((name) => normalizeKey(name) === normalizeHost(host));
}

/** The entry that keeps a user name and a password. */
export function toEntry(credentials: Credentials): Record<string, string> {
  if (!credentials.isIdentityToken) return { auth: credentials.basic() };
  const identitytoken = credentials.reveal();
  return { auth: new TextEncoder().encode(`${credentials.username}:`).toBase64(), identitytoken };
}

/** `host/a/b`, `host/a`, `host`; the host alone where there is no repository. */
function lookupKeys(host: string, repository: string): string[] {
  const parts = [normalizeHost(host), ...repository.split("/").filter((part) => part !== "")];
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}

/** Docker Hub has many names. */
function normalizeHost(host: string): string {
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** `https://index.docker.io/v1/` is `docker.io`; a URL stands for its host. */
function normalizeKey(key: string): string {
  const url = /^https?:\/\/([^/]*)/.exec(key)?.[1];
  const [host = "", ...path] = (url ?? key).split("/");
  return [normalizeHost(host), ...path].join("/");
}

function readEntry(entry: Readonly<Record<string, unknown>>, place: string): Credentials | null {
  const text = (name: string): string => {
    const value = entry[name] ?? "";
    if (typeof value !== "string") throw damaged(place, `"${name}" is no string`);
    return value;
  };
  let [username, password] = [text("username"), text("password")];
  const auth = text("auth");
  if (auth !== "") [username, password] = decode(auth, place);
  const identity = text("identitytoken");
  if (identity !== "") return Credentials.identityToken(identity, username);
  return username === "" && password === "" ? null : Credentials.password(username, password);
}

/** User name and password out of `auth`. Some tools pad it with NUL. */
function decode(auth: string, place: string): [string, string] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(auth));
  } catch {
    // The error would quote it.
    throw damaged(place, '"auth" is not base64');
  }
  const colon = text.indexOf(":");
  if (colon === -1) throw damaged(place, '"auth" has no colon in it');
  return [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, "")];
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error would quote some of the text.
    throw damaged(path, "it is not JSON");
  }
  if (!isObject(value)) throw damaged(path, "it is no JSON object");
  return { ...value };
}

function damaged(place: string, state: string): LayerfsError {
  return new LayerfsError(
    "usage",
    `Cannot read credentials of "${place}": ${state}; mend it, or name another by --authfile`,
  );
}
