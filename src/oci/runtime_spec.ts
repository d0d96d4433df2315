/**
 * The OCI runtime configuration (config.json of a bundle), as far as layerfs writes it, and what an
 * image config contributes to it (image-spec conversion.md).
 *
 * @example
 * ```ts
 * import { parseConfig } from "./config.ts";
 * import { convert } from "./runtime_spec.ts";
 *
 * const config = parseConfig(new TextEncoder().encode(JSON.stringify({
 *   os: "linux",
 *   architecture: "amd64",
 *   config: { Entrypoint: ["echo"], Cmd: ["hello"] },
 *   rootfs: { type: "layers", diff_ids: [] },
 * })));
 * console.assert(convert(config).args.join(" ") === "echo hello");
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { ImageConfig } from "./config.ts";
import { quote } from "./strict_json.ts";

/** config.json of a bundle (runtime-spec config.md). */
export interface RuntimeConfig {
  /** Version of the runtime-spec. */
  readonly ociVersion: string;
  /** The container's first process. */
  readonly process: RuntimeProcess;
  /** The root filesystem; a relative path starts at the bundle. */
  readonly root: { readonly path: string; readonly readonly: boolean };
  /** In the UTS namespace of the container. */
  readonly hostname?: string;
  /** Made in this order. */
  readonly mounts: readonly RuntimeMount[];
  /** Arbitrary metadata; what the image says is among it. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What only Linux has. */
  readonly linux: RuntimeLinux;
}

/** The container's first process. */
export interface RuntimeProcess {
  /** Whether the process gets one. */
  readonly terminal: boolean;
  /** Whom it runs as. */
  readonly user: RuntimeUser;
  /** One element at least. */
  readonly args: readonly string[];
  /** `NAME=VALUE` each. */
  readonly env: readonly string[];
  /** An absolute path. */
  readonly cwd: string;
  /** What it may do beyond its user. */
  readonly capabilities?: RuntimeCapabilities;
  /** Its resource limits. */
  readonly rlimits?: readonly RuntimeLimit[];
  /** Setuid programs give nothing. */
  readonly noNewPrivileges?: boolean;
}

/** Numeric ids in the container's user namespace. */
export interface RuntimeUser {
  /** User. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Mode bits that new files do not get. */
  readonly umask?: number;
  /** Supplementary groups. */
  readonly additionalGids?: readonly number[];
}

/** Names such as "CAP_KILL" (capabilities(7)). */
export interface RuntimeCapabilities {
  /** The most that can be had. */
  readonly bounding: readonly string[];
  /** In force. */
  readonly effective: readonly string[];
  /** To be put in force. */
  readonly permitted: readonly string[];
  /** Kept by programs whose files ask for them. */
  readonly inheritable?: readonly string[];
  /** Kept by any program. */
  readonly ambient?: readonly string[];
}

/** A resource limit (getrlimit(2)), such as RLIMIT_NOFILE. */
export interface RuntimeLimit {
  /** Such as "RLIMIT_NOFILE". */
  readonly type: string;
  /** What cannot be exceeded. */
  readonly hard: number;
  /** What is in force. */
  readonly soft: number;
}

/** A mount, made in the order of the list. */
export interface RuntimeMount {
  /** Where it appears in the container. */
  readonly destination: string;
  /** Of the filesystem, or "bind". */
  readonly type?: string;
  /** What is mounted; a relative path starts at the bundle. */
  readonly source?: string;
  /** As of mount(8). */
  readonly options?: readonly string[];
}

/** The part of config.json that only Linux has (runtime-spec config-linux.md). */
export interface RuntimeLinux {
  /** Those that the container has of its own. */
  readonly namespaces: readonly RuntimeNamespace[];
  /** Users of the user namespace. */
  readonly uidMappings?: readonly RuntimeIdMapping[];
  /** Groups of the user namespace. */
  readonly gidMappings?: readonly RuntimeIdMapping[];
  /** Its control group. */
  readonly cgroupsPath?: string;
  /** Limits of its control group. */
  readonly resources?: RuntimeResources;
  /** How mounts under the root are shared. */
  readonly rootfsPropagation?: string;
  /** Paths that read as empty. */
  readonly maskedPaths?: readonly string[];
  /** Paths that cannot be written. */
  readonly readonlyPaths?: readonly string[];
}

/** A namespace to make, or with a path, one to join. */
export interface RuntimeNamespace {
  /** What it separates. */
  readonly type: "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup";
  /** Of the namespace to join. */
  readonly path?: string;
}

/** A range of ids of a user namespace. */
export interface RuntimeIdMapping {
  /** First id inside. */
  readonly containerID: number;
  /** First id outside. */
  readonly hostID: number;
  /** Number of ids. */
  readonly size: number;
}

/** Limits that control groups enforce. */
export interface RuntimeResources {
  /** Access to devices, the last match counts. */
  readonly devices?: readonly { readonly allow: boolean; readonly access: string }[];
  /** Bytes. */
  readonly memory?: { readonly limit: number; readonly swap?: number };
  /** Microseconds of CPU time in each period. */
  readonly cpu?: { readonly quota: number; readonly period: number };
  /** Number of processes. */
  readonly pids?: { readonly limit: number };
}

/** Annotation that carries Docker's health check, as the JSON of a `Healthcheck`. */
export const HEALTHCHECK_ANNOTATION = "org.layerfs.healthcheck";

/** What an image config says for a runtime config. */
export interface ConvertedConfig {
  /** Entrypoint, then Cmd; one element at least. */
  readonly args: readonly string[];
  /** The image's own, as they are. */
  readonly env: readonly string[];
  /** An absolute path, "/" where the image names none. */
  readonly cwd: string;
  /** As the image names it, to be looked up in the rootfs; "" where it names none. */
  readonly user: string;
  /** Arbitrary metadata; what the image says is among it. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Paths in the container that should be mounts. */
  readonly volumes: readonly string[];
}

/**
 * Converts an image config (conversion.md). Inputs from outside, such as another command, are to
 * be put into the config first: conversion.md takes them for changes of it.
 *
 * @throws {LayerfsError} `image-invalid` where the image has no command, or a working directory
 * that no container should start in
 */
export function convert(config: ImageConfig): ConvertedConfig {
  const { entrypoint, cmd, env, workingDir, user, volumes } = config.config;
  const args = [...entrypoint, ...cmd];
  if (args.length === 0 || args[0] === "") {
    throw new LayerfsError(
      "image-invalid",
      "Cannot run the image: it names no command; give one after the image's name",
    );
  }
  return {
    args,
    env,
    cwd: workingDirectory(workingDir),
    user,
    annotations: convertAnnotations(config),
    volumes,
  };
}

/**
 * `NAME=VALUE` entries with a default added, unless one of that name is there (conversion.md: what
 * a converter adds does not take the place of what the image says).
 */
export function withDefaultEnv(
  env: readonly string[],
  name: string,
  value: string,
): readonly string[] {
  return env.some((entry) => entry.startsWith(`${name}=`)) ? env : [...env, `${name}=${value}`];
}

/**
 * The working directory: absolute, and not in /proc, where file descriptors that a runtime leaks
 * into the container lead out of it (CVE-2024-21626).
 */
function workingDirectory(path: string): string {
  if (path === "") return "/";
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  const state = !path.startsWith("/")
    ? "is not an absolute path"
    : names[0] === "proc" && names.length > 1
    ? "is inside /proc"
    : null;
  if (state === null) return path;
  throw new LayerfsError(
    "image-invalid",
    `Cannot run the image: its WorkingDir ${quote(path)} ${state}; choose another with --workdir`,
  );
}

/** The annotations of conversion.md; a label of the image wins over any of them. */
function convertAnnotations(config: ImageConfig): Readonly<Record<string, string>> {
  const { exposedPorts, stopSignal, healthcheck, labels } = config.config;
  const implied: [string, string | undefined][] = [
    ["os", config.os],
    ["architecture", config.architecture],
    ["variant", config.variant],
    ["os.version", config.osVersion],
    ["os.features", config.osFeatures?.join(",")],
    ["author", config.author],
    ["created", config.created],
    ["stopSignal", stopSignal],
    ["exposedPorts", exposedPorts.join(",")],
  ];
  // fromEntries defines members, so that a label called "__proto__" is only a label.
  return Object.fromEntries([
    ...implied.flatMap(([name, value]): [string, string][] =>
      value ? [[`org.opencontainers.image.${name}`, value]] : []
    ),
    ...(healthcheck === undefined
      ? []
      : [[HEALTHCHECK_ANNOTATION, JSON.stringify(healthcheck)] as const]),
    ...Object.entries(labels),
  ]);
}
