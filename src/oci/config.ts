/**
 * Image configs, OCI's and Docker's (image-spec config.md, and the members that Docker adds and
 * most images have).
 *
 * @example
 * ```ts
 * import { parseConfig } from "./config.ts";
 *
 * const config = parseConfig(new TextEncoder().encode(JSON.stringify({
 *   os: "linux",
 *   architecture: "amd64",
 *   config: { Cmd: ["sh"] },
 *   rootfs: { type: "layers", diff_ids: ["sha256:" + "0".repeat(64)] },
 * })));
 * console.assert(config.config.cmd[0] === "sh" && config.rootfs.diffIds.length === 1);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { dateTimeProblem } from "./date_time.ts";
import { type Digest, digestProblem } from "./digest.ts";
import { Fields, invalid } from "./fields.ts";
import { type Platform, readPlatform } from "./platform.ts";
import { parseJson } from "./strict_json.ts";

/** An image config: a platform, how to run the image, and its layers. */
export interface ImageConfig extends Platform {
  /** By RFC 3339, as written. */
  readonly created?: string;
  /** Who made the image. */
  readonly author?: string;
  /** How to run the image. */
  readonly config: ExecutionConfig;
  /** The layers: digests of their uncompressed tars, base first. */
  readonly rootfs: { readonly type: "layers"; readonly diffIds: readonly Digest[] };
  /** Oldest first; empty where the image tells none. */
  readonly history: readonly HistoryEntry[];
}

/** How to run the image. What the image does not say is "" or empty. */
export interface ExecutionConfig {
  /** `user`, `uid`, `user:group` or `uid:gid`. */
  readonly user: string;
  /** Such as "8080/tcp". */
  readonly exposedPorts: readonly string[];
  /** `NAME=VALUE` each. */
  readonly env: readonly string[];
  /** A command given as one string is run by the shell: `["/bin/sh", "-c", string]`. */
  readonly entrypoint: readonly string[];
  /** Like `entrypoint`; its arguments, or the command where there is no entrypoint. */
  readonly cmd: readonly string[];
  /** Paths in the container. */
  readonly volumes: readonly string[];
  /** Where the process starts. */
  readonly workingDir: string;
  /** Become annotations of the container. */
  readonly labels: Readonly<Record<string, string>>;
  /** Such as "SIGTERM". */
  readonly stopSignal: string;
  /** How to find out whether the container works. */
  readonly healthcheck?: Healthcheck;
  /** Docker: the shell of string-form instructions in a Dockerfile. */
  readonly shell: readonly string[];
  /** Docker: instructions for images built from this one. */
  readonly onBuild: readonly string[];
  /** Docker on Windows: the command is one escaped string. */
  readonly argsEscaped: boolean;
}

/** Docker's health check. Times are nanoseconds; absent members leave it to the supervisor. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", args...]` or `["CMD-SHELL", command]`; empty: that of the base image. */
  readonly test: readonly string[];
  /** Between two checks. */
  readonly interval?: number;
  /** After which a check has failed. */
  readonly timeout?: number;
  /** In which failures do not count. */
  readonly startPeriod?: number;
  /** Between two checks in the start period. */
  readonly startInterval?: number;
  /** Failures in a row that make the container unhealthy. */
  readonly retries?: number;
}

/** What one step of the build was. */
export interface HistoryEntry {
  /** By RFC 3339, as written. */
  readonly created?: string;
  /** Who made the step. */
  readonly author?: string;
  /** The command. */
  readonly createdBy?: string;
  /** What the builder adds to it. */
  readonly comment?: string;
  /** The step made no layer. */
  readonly emptyLayer: boolean;
}

/**
 * Parses an image config. Unknown members are passed over, as config.md demands.
 *
 * @throws {LayerfsError} `image-invalid`, naming the member
 */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const fields = new Fields("config", "", parseJson(bytes, "config"));
  // The platform's readers take "" for members that a descriptor leaves empty; a config may not.
  fields.string("architecture");
  fields.string("os");
  const config: ImageConfig = {
    ...readPlatform(fields),
    ...optionalDate(fields),
    ...optionalText(fields, "author", "author"),
    config: readExecution(fields.object("config") ?? new Fields("config", "config", {})),
    rootfs: readRootfs(fields.requiredObject("rootfs")),
    history: fields.objects("history").map(readHistory),
  };
  checkHistory(config);
  return config;
}

function readExecution(fields: Fields): ExecutionConfig {
  const healthcheck = fields.object("Healthcheck");
  return {
    user: withoutNul(fields, "User"),
    exposedPorts: fields.names("ExposedPorts"),
    env: readEnv(fields),
    entrypoint: readCommand(fields, "Entrypoint"),
    cmd: readCommand(fields, "Cmd"),
    volumes: readVolumes(fields),
    workingDir: withoutNul(fields, "WorkingDir"),
    labels: fields.stringMap("Labels"),
    stopSignal: fields.optionalString("StopSignal") ?? "",
    ...(healthcheck === undefined ? {} : { healthcheck: readHealthcheck(healthcheck) }),
    shell: fields.strings("Shell"),
    onBuild: fields.strings("OnBuild"),
    argsEscaped: fields.boolean("ArgsEscaped"),
  };
}

/** The kernel ends strings at a NUL, so what comes after it would be dropped unseen. */
function withoutNul(fields: Fields, name: string): string {
  const value = fields.optionalString(name) ?? "";
  if (value.includes("\0")) throw fields.error(name, "a string without NUL");
  return value;
}

function stringsWithoutNul(fields: Fields, name: string): readonly string[] {
  const values = fields.strings(name);
  const nul = values.findIndex((value) => value.includes("\0"));
  if (nul === -1) return values;
  throw invalid(fields.document, `${fields.pathOf(name)}[${nul}]`, values[nul], "free of NUL");
}

function readEnv(fields: Fields): readonly string[] {
  const env = stringsWithoutNul(fields, "Env");
  // "=x" has no name; runtimes refuse both forms.
  const wrong = env.findIndex((entry) => entry.indexOf("=") < 1);
  if (wrong === -1) return env;
  throw invalid(fields.document, `${fields.pathOf("Env")}[${wrong}]`, env[wrong], "NAME=VALUE");
}

function readCommand(fields: Fields, name: string): readonly string[] {
  if (typeof fields.value(name) !== "string") return stringsWithoutNul(fields, name);
  const command = withoutNul(fields, name);
  return command === "" ? [] : ["/bin/sh", "-c", command];
}

function readVolumes(fields: Fields): readonly string[] {
  const volumes = fields.names("Volumes");
  for (const path of volumes) {
    if (path === "" || path.includes("\0")) {
      throw invalid(fields.document, fields.pathOf("Volumes"), path, "a path");
    }
  }
  return volumes;
}

function readHealthcheck(fields: Fields): Healthcheck {
  const command = fields.value("Test");
  const test = typeof command === "string" ? ["CMD-SHELL", command] : fields.strings("Test");
  const interval = fields.optionalInteger("Interval");
  const timeout = fields.optionalInteger("Timeout");
  const startPeriod = fields.optionalInteger("StartPeriod");
  const startInterval = fields.optionalInteger("StartInterval");
  const retries = fields.optionalInteger("Retries");
  return {
    test,
    ...(interval === undefined ? {} : { interval }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(startPeriod === undefined ? {} : { startPeriod }),
    ...(startInterval === undefined ? {} : { startInterval }),
    ...(retries === undefined ? {} : { retries }),
  };
}

function readRootfs(fields: Fields): ImageConfig["rootfs"] {
  if (fields.value("type") !== "layers") throw fields.error("type", '"layers"');
  if (!fields.has("diff_ids")) throw fields.error("diff_ids", "an array");
  const diffIds = fields.strings("diff_ids");
  diffIds.forEach((diffId, i) => {
    const expected = digestProblem(diffId);
    if (expected === null) return;
    throw invalid(fields.document, `${fields.pathOf("diff_ids")}[${i}]`, diffId, expected);
  });
  return { type: "layers", diffIds: diffIds as readonly Digest[] };
}

function readHistory(fields: Fields): HistoryEntry {
  return {
    ...optionalDate(fields),
    ...optionalText(fields, "author", "author"),
    ...optionalText(fields, "created_by", "createdBy"),
    ...optionalText(fields, "comment", "comment"),
    emptyLayer: fields.boolean("empty_layer"),
  };
}

/** `{created}` where it is there. */
function optionalDate(fields: Fields): { readonly created?: string } {
  if (!fields.has("created")) return {};
  return { created: fields.checked("created", dateTimeProblem) };
}

/** `{[key]: text}` where the member is there and not empty. */
function optionalText<Key extends string>(
  fields: Fields,
  name: string,
  key: Key,
): { readonly [key in Key]?: string } {
  const value = fields.optionalString(name);
  // The cast only tells TypeScript that a computed key of one literal type is that key.
  return (value ? { [key]: value } : {}) as { [key in Key]?: string };
}

/** A history, where there is one, has one entry for each layer beside those that made none. */
function checkHistory(config: ImageConfig): void {
  if (config.history.length === 0) return;
  const steps = config.history.filter((entry) => !entry.emptyLayer).length;
  const layers = config.rootfs.diffIds.length;
  if (steps === layers) return;
  throw new LayerfsError(
    "image-invalid",
    `Cannot read config: history tells of ${steps} layers, rootfs.diff_ids has ${layers}`,
    { document: "config", path: "history" },
  );
}

/**
 * Checks that manifest and config speak of the same number of layers, so that no diffID is ever
 * missing or left over (config.md, "rootfs").
 *
 * @param layers number of layers in the manifest
 * @throws {LayerfsError} `image-invalid`
 */
export function checkLayerCount(config: ImageConfig, layers: number): void {
  const diffIds = config.rootfs.diffIds.length;
  if (diffIds === layers) return;
  throw new LayerfsError(
    "image-invalid",
    `Cannot read config: rootfs.diff_ids has ${diffIds} entries, the manifest ${layers} layers`,
    { document: "config", path: "rootfs.diff_ids" },
  );
}
