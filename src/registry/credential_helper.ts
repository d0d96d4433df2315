/**
 * Credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere. The secret goes
 * through pipes, never through arguments.
 *
 * @module
 */

import { LayerfsError, printable } from "../errors.ts";
import { isObject } from "../oci/fields.ts";
import { run, type RunResult } from "../process.ts";
import { DOCKER_HUB_KEY } from "./auth_file.ts";
import { Credentials, redact } from "./credentials.ts";

/** What helpers print where they have nothing (docker-credential-helpers, credentials/error.go). */
const NOT_FOUND = "credentials not found in native keychain";

/** The user name that says that the secret is an identity token. */
const TOKEN_USER = "<token>";

/**
 * What a helper has for a registry; null where it has nothing.
 *
 * @param name what follows `docker-credential-`
 * @throws {LayerfsError} `unauthorized` where it fails, and as `run` does
 */
export async function askHelper(
  name: string,
  host: string,
  signal?: AbortSignal,
): Promise<Credentials | null> {
  for (const server of serverNames(host)) {
    const result = await call(name, "get", server, signal);
    if (result.code !== 0) {
      if (result.stdout.includes(NOT_FOUND)) continue;
      throw failed(name, "get", result);
    }
    const credentials = parseAnswer(result.stdout);
    if (credentials === undefined) throw failed(name, "get", result, "its answer is not readable");
    return credentials;
  }
  return null;
}

/** Gives credentials to a helper to keep. @throws {LayerfsError} as {@linkcode askHelper} */
export async function storeInHelper(
  name: string,
  host: string,
  credentials: Credentials,
): Promise<void> {
  const result = await call(
    name,
    "store",
    JSON.stringify({
      ServerURL: serverNames(host)[0],
      Username: credentials.isIdentityToken ? TOKEN_USER : credentials.username,
      Secret: credentials.reveal(),
    }),
  );
  if (result.code !== 0) throw failed(name, "store", result, undefined, credentials);
}

/**
 * Makes a helper forget a registry.
 *
 * @returns whether it knew it
 * @throws {LayerfsError} as {@linkcode askHelper}
 */
export async function eraseFromHelper(name: string, host: string): Promise<boolean> {
  if (await askHelper(name, host) === null) return false;
  for (const server of serverNames(host)) {
    const result = await call(name, "erase", server);
    if (result.code !== 0 && !result.stdout.includes(NOT_FOUND)) {
      throw failed(name, "erase", result);
    }
  }
  return true;
}

/** Docker gives its own key for Docker Hub to helpers, podman the host. */
function serverNames(host: string): string[] {
  return host === "docker.io" ? [DOCKER_HUB_KEY, host] : [host];
}

function call(
  name: string,
  verb: "get" | "store" | "erase",
  input: string,
  signal?: AbortSignal,
): Promise<RunResult> {
  return run(`docker-credential-${name}`, [verb], {
    stdin: new TextEncoder().encode(input),
    // One that knows a single registry, a script as a rule, need not look at which one is meant.
    mayLeaveInput: verb !== "store",
    ...(signal ? { signal } : {}),
  });
}

function parseAnswer(text: string): Credentials | null | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // The error would quote the secret.
    return undefined;
  }
  if (!isObject(answer)) return undefined;
  const { Username: username = "", Secret: secret = "" } = answer;
  if (typeof username !== "string" || typeof secret !== "string") return undefined;
  if (username === "" && secret === "") return null;
  return username === TOKEN_USER
    ? Credentials.identityToken(secret)
    : Credentials.password(username, secret);
}

/** The error; what the helper prints to stdout may be a secret, so only its stderr is shown. */
function failed(
  name: string,
  verb: string,
  { code, stderr }: RunResult,
  state = `it ended with status ${code}`,
  credentials?: Credentials,
): LayerfsError {
  const said = redact(stderr.trim().split("\n", 1)[0] ?? "", credentials?.secrets() ?? []);
  const program = `docker-credential-${name}`;
  return new LayerfsError(
    "unauthorized",
    `Cannot use ${program} ${verb}: ${state}${
      said === "" ? "" : `: ${printable(said.slice(0, 200))}`
    }` +
      "; unlock it, or use --creds or --authfile",
    { program, status: code },
  );
}
