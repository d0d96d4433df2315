/**
 * What a caller changes of an image's own settings when a container is made from it: the typed form
 * of the options of `create` and `run`, and the parsers of their values.
 *
 * @example
 * ```ts
 * import { NO_OVERRIDES, parseVolume } from "./overrides.ts";
 *
 * const overrides = {
 *   ...NO_OVERRIDES,
 *   env: ["LANG=C.UTF-8"],
 *   volumes: [parseVolume("data:/var/lib/data:ro", "/home/me")],
 * };
 * console.assert(overrides.volumes[0]?.source === "/home/me/data");
 * ```
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";

/** A directory or file of the host that the container sees. */
export interface Volume {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the container, normalised. */
  readonly destination: string;
  /** The container cannot write to it. */
  readonly readonly: boolean;
}

/** A filesystem in memory, empty at the start. */
export interface Tmpfs {
  /** Absolute path in the container, normalised. */
  readonly destination: string;
  /** Mount options that come after the default ones, such as `size=64m`. */
  readonly options: readonly string[];
}

/** Everything that a caller can change. What is absent or empty leaves the image's own value. */
export interface Overrides {
  /** Takes the place of the image's Entrypoint, and drops its Cmd; `[]` means no entrypoint. */
  readonly entrypoint?: readonly string[];
  /** `NAME=VALUE` entries; each replaces the image's entry of that name. */
  readonly env: readonly string[];
  /** Absolute path. */
  readonly workdir?: string;
  /** As `Config.User` of an image: `user`, `uid`, `user:group`, `uid:gid`, ... */
  readonly user?: string;
  /** Host name inside the container. */
  readonly hostname?: string;
  /** Labels, which become annotations of the configuration. */
  readonly labels: Readonly<Record<string, string>>;
  /** Win over labels of the same name. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Files and directories of the host that the container sees. */
  readonly volumes: readonly Volume[];
  /** Filesystems in memory. */
  readonly tmpfs: readonly Tmpfs[];
  /** Mounts the root filesystem read-only. */
  readonly readonly: boolean;
  /** Gives the process a terminal. */
  readonly tty: boolean;
  /** Bytes of memory that the container may use. */
  readonly memory?: number;
  /** CPUs that it may use, such as 1.5. */
  readonly cpus?: number;
  /** Processes and threads that it may have; -1 for as many as it likes. */
  readonly pidsLimit?: number;
  /** Bytes that its root filesystem may take: an affair of the storage driver. */
  readonly quota?: number;
  /** Names with or without `CAP_`, in any case, or `ALL`. */
  readonly capAdd: readonly string[];
  /** Capabilities to take away, written as those to add. */
  readonly capDrop: readonly string[];
  /** `host`: the host's network. `none`, the default: a network of its own with loopback only. */
  readonly network?: "host" | "none";
}

/** Overrides that change nothing: spread it and add. */
export const NO_OVERRIDES: Overrides = {
  env: [],
  labels: {},
  annotations: {},
  volumes: [],
  tmpfs: [],
  readonly: false,
  tty: false,
  capAdd: [],
  capDrop: [],
};

/** Multiples of a byte. Binary ones, as podman and docker read them. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/**
 * Reads a size such as `512m`, `1.5g` or `65536`.
 *
 * @param option the option's name, for the message
 * @returns whole bytes, at least 1
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?$/i.exec(text);
  const bytes = match === null
    ? NaN
    : Math.floor(Number(match[1]) * (UNITS[(match[2] ?? "").toLowerCase()] ?? NaN));
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw usage(option, text, "not a size; give a number with k, m, g or t, such as 512m");
  }
  return bytes;
}

/** Reads a number of CPUs such as `0.5` or `2`; the kernel takes no less than 0.01. */
export function parseCpus(text: string): number {
  const cpus = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
  if (!(cpus >= 0.01 && cpus <= 65536)) {
    throw usage("cpus", text, "not a number of CPUs; give one from 0.01 up, such as 1.5");
  }
  return cpus;
}

/** Reads a limit of processes: a positive number, or -1 for none. */
export function parsePidsLimit(text: string): number {
  const limit = /^(-1|\d+)$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(limit) || limit === 0) {
    throw usage("pids-limit", text, "not a limit; give a positive number, or -1 for none");
  }
  return limit;
}

/** Reads an entrypoint: a JSON array of strings, or one program; "" is no entrypoint. */
export function parseEntrypoint(text: string): string[] {
  if (!text.startsWith("[")) return text === "" ? [] : [text];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw usage("entrypoint", text, "begins with [ but is not JSON", cause);
  }
  if (Array.isArray(parsed) && parsed.every((arg) => typeof arg === "string")) return parsed;
  throw usage("entrypoint", text, "not an array of strings");
}

/**
 * Reads `SOURCE:DESTINATION[:ro]`.
 *
 * @param cwd absolute directory that a relative source starts from
 */
export function parseVolume(text: string, cwd: string): Volume {
  const [source, destination, options, ...rest] = text.split(":");
  if (!source || !destination || rest.length > 0) {
    throw usage("volume", text, "not of the form SOURCE:DESTINATION[:ro]");
  }
  if (options !== undefined && options !== "ro" && options !== "rw") {
    throw usage("volume", text, `the option "${options}" is not known; there are ro and rw`);
  }
  return {
    source: resolve(cwd, source),
    destination: mountPoint("volume", text, destination),
    readonly: options === "ro",
  };
}

/** Reads `DESTINATION[:OPTION[,OPTION...]]`, options as tmpfs(5) has them. */
export function parseTmpfs(text: string): Tmpfs {
  const colon = text.indexOf(":");
  const destination = colon < 0 ? text : text.slice(0, colon);
  const options = colon < 0 ? [] : text.slice(colon + 1).split(",").filter((o) => o !== "");
  return { destination: mountPoint("tmpfs", text, destination), options };
}

/** Reads `NAME=VALUE` of `--label` and `--annotation`; without "=" the value is empty. */
export function parseKeyValue(text: string, option: string): [string, string] {
  const equals = text.indexOf("=");
  const key = equals < 0 ? text : text.slice(0, equals);
  if (key === "") throw usage(option, text, "it has no name before the =");
  return [key, equals < 0 ? "" : text.slice(equals + 1)];
}

/**
 * Reads an `--env` value: `NAME=VALUE`, or `NAME` alone for the caller's own value.
 *
 * @param lookup the caller's environment
 * @returns `NAME=VALUE`, or null where `NAME` alone is not set
 */
export function parseEnv(
  text: string,
  lookup: (name: string) => string | undefined,
): string | null {
  if (text === "" || text.startsWith("=")) throw usage("env", text, "it has no name");
  if (text.includes("\0")) throw usage("env", text, "it has a NUL character");
  if (text.includes("=")) return text;
  const value = lookup(text);
  return value === undefined ? null : `${text}=${value}`;
}

/**
 * Reads the text of an `--env-file`: an entry a line, as {@linkcode parseEnv} takes it. Empty lines
 * and lines that begin with # are passed over; quotes are part of the value, as in docker's files.
 */
export function parseEnvFile(
  text: string,
  lookup: (name: string) => string | undefined,
): string[] {
  const entries: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    const trimmed = line.trimStart();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const name = trimmed.split("=", 1)[0] ?? "";
    if (/\s/.test(name)) throw usage("env-file", trimmed, "a name has no spaces");
    const entry = parseEnv(trimmed, lookup);
    if (entry !== null) entries.push(entry);
  }
  return entries;
}

/** Reads the value of `--hostname`: sethostname(2) takes 64 bytes. */
export function parseHostname(text: string): string {
  if (/^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/.test(text)) return text;
  throw usage("hostname", text, "it must be 1 to 64 letters, digits, and . - _ between them");
}

/** Reads the value of `--workdir`. */
export function parseWorkdir(text: string): string {
  if (text.startsWith("/")) return text;
  throw usage("workdir", text, "it must be an absolute path");
}

/** Reads the value of `--network`. */
export function parseNetwork(text: string): "host" | "none" {
  if (text === "host" || text === "none") return text;
  throw usage("network", text, "not known; there are host and none");
}

function mountPoint(option: string, text: string, destination: string): string {
  if (!destination.startsWith("/")) {
    throw usage(option, text, `the destination "${destination}" must be an absolute path`);
  }
  const clean = resolve(destination);
  if (clean === "/") throw usage(option, text, "the destination cannot be the root itself");
  return clean;
}

function usage(option: string, value: string, state: string, cause?: unknown): LayerfsError {
  return new LayerfsError("usage", `Cannot use --${option} "${value}": ${state}`, { option }, {
    cause,
  });
}
