/**
 * The config.json of a container: what the image says (image-spec conversion.md), what the caller
 * changes, and for the rest what `runc spec` (for ordinary users `runc spec --rootless`) has.
 *
 * It differs from `runc spec` in these: the root filesystem can be written; capabilities are those
 * of podman (see capabilities.ts); a cgroup namespace is always made, which runc spec does on cgroup
 * v2 only; a rootless container without `--network host` has a network of its own, too.
 *
 * @example
 * ```ts
 * import { buildRuntimeConfig } from "./bundle.ts";
 * import { NO_OVERRIDES } from "./overrides.ts";
 *
 * const rootfs = Deno.makeTempDirSync();
 * const { config } = buildRuntimeConfig({
 *   image: null,
 *   overrides: NO_OVERRIDES,
 *   command: ["sh"],
 *   rootfs,
 *   rootless: null,
 *   id: "demo",
 * });
 * console.assert(config.process.args[0] === "sh" && config.hostname === "demo");
 * Deno.removeSync(rootfs);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { ImageConfig } from "../oci/config.ts";
import {
  convert,
  type ConvertedConfig,
  type RuntimeConfig,
  type RuntimeLinux,
  type RuntimeProcess,
  type RuntimeResources,
  withDefaultEnv,
} from "../oci/runtime_spec.ts";
import { safeLabels } from "./annotations.ts";
import { capabilitySets } from "./capabilities.ts";
import { type IdMaps, isMapped } from "./id_map.ts";
import { planMounts, type VolumeDirectory } from "./mounts.ts";
import { type Overrides, parseHostname, parseWorkdir } from "./overrides.ts";
import { type ContainerUser, lookupUser } from "./user.ts";
import { findProcDetour } from "./working_directory.ts";

/** What a config.json is made of. */
export interface BundleRequest {
  /** Null for a root filesystem without an image. */
  readonly image: ImageConfig | null;
  /** What the caller changes. */
  readonly overrides: Overrides;
  /** Takes the place of the image's Cmd where it is not empty. */
  readonly command: readonly string[];
  /** Absolute path of the root filesystem as it is now, finished and changed by nobody. */
  readonly rootfs: string;
  /** The ids of a rootless container; null for one that root starts. */
  readonly rootless: IdMaps | null;
  /** The container's id: its host name unless another is given. */
  readonly id: string;
}

/** A config.json, and what its bundle needs besides. */
export interface BundlePlan {
  /** Expects the root filesystem at `rootfs` and the volumes at their sources, in the bundle. */
  readonly config: RuntimeConfig;
  /** To be made in the bundle. */
  readonly volumes: readonly VolumeDirectory[];
  /** For people to read. */
  readonly warnings: readonly string[];
}

/** crun 1.8 refuses 1.2.1 and later; runc takes it, and nothing newer is used. */
const OCI_VERSION = "1.0.2";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Microseconds in which `--cpus` counts: the kernel's own default. */
const CPU_PERIOD = 100_000;

/** As `runc spec` has them. */
const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];
const READONLY_PATHS = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/**
 * Plans the bundle of a container. Reads the root filesystem (accounts, mount points, volumes), and
 * changes nothing.
 *
 * @throws {LayerfsError} `image-invalid` for what the image asks and cannot have, `usage` for what
 * the caller does, `not-found` for a volume that is not there, `privilege-missing` for a user that
 * a rootless container does not have
 */
export function buildRuntimeConfig(request: BundleRequest): BundlePlan {
  const { image, overrides, rootfs, rootless } = request;
  const warnings: string[] = [];
  const converted = convertWithOverrides(request, warnings);
  const user = findUser(request, converted.user, warnings);
  const mounts = planMounts({ rootfs, volumes: image?.config.volumes ?? [], overrides, rootless });
  const hostname = hostnameOf(request);
  const annotations = { ...converted.annotations, ...overrides.annotations };
  const config: RuntimeConfig = {
    ociVersion: OCI_VERSION,
    process: processOf(request, converted, user, hostname),
    root: { path: "rootfs", readonly: overrides.readonly },
    hostname,
    mounts: mounts.mounts,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    linux: linuxOf(request, warnings),
  };
  refuseNul(config);
  return { config, volumes: mounts.volumes, warnings: [...warnings, ...mounts.warnings] };
}

/** Puts the caller's inputs into the image's config, as conversion.md has it, and converts that. */
function convertWithOverrides(request: BundleRequest, warnings: string[]): ConvertedConfig {
  const { image, overrides, command, rootfs } = request;
  if (overrides.workdir !== undefined) checkWorkdir(rootfs, overrides.workdir);
  const { entrypoint, cmd } = commandOf(request);
  if (image === null && entrypoint.length + cmd.length === 0) {
    throw new LayerfsError(
      "usage",
      "Cannot make a container without an image: no command is given; name one at the end",
    );
  }
  if (command[0] === "" && entrypoint.length === 0) {
    throw new LayerfsError("usage", 'Cannot run the command "": it is empty');
  }
  const base = image ?? NO_IMAGE;
  const { labels, warnings: left } = safeLabels(base.config.labels);
  warnings.push(...left);
  const converted = convert({
    ...base,
    config: {
      ...base.config,
      entrypoint,
      cmd,
      env: mergeEnv(base.config.env, overrides.env),
      user: overrides.user ?? base.config.user,
      workingDir: overrides.workdir ?? base.config.workingDir,
      labels: { ...labels, ...overrides.labels },
    },
  });
  const detour = findProcDetour(rootfs, converted.cwd);
  if (detour === null) return converted;
  throw new LayerfsError(
    "image-invalid",
    `Cannot run the image: its WorkingDir ${JSON.stringify(converted.cwd)} leads to "${detour}", ` +
      "from where descriptors lead out of the container; choose another with --workdir",
  );
}

/** Refuses a working directory of the caller that the image could not have, either. */
function checkWorkdir(rootfs: string, workdir: string): void {
  const detour = findProcDetour(rootfs, parseWorkdir(workdir));
  if (detour === null) return;
  const state = `it leads to "${detour}", from where descriptors lead out of the container`;
  throw usage("workdir", workdir, state);
}

/** What stands in for an image where there is none. */
const NO_IMAGE: ImageConfig = {
  os: "",
  architecture: "",
  config: {
    user: "",
    exposedPorts: [],
    env: [],
    entrypoint: [],
    cmd: [],
    volumes: [],
    workingDir: "",
    labels: {},
    stopSignal: "",
    shell: [],
    onBuild: [],
    argsEscaped: false,
  },
  rootfs: { type: "layers", diffIds: [] },
  history: [],
};

/** A new entrypoint drops the image's arguments, which were meant for its own (docker, podman). */
function commandOf({ image, overrides, command }: BundleRequest) {
  const own = image?.config;
  // [""] was docker's way to reset an entrypoint.
  const inherited = own?.entrypoint.join("\0") === "" ? [] : own?.entrypoint ?? [];
  const cmd = command.length > 0
    ? command
    : overrides.entrypoint === undefined
    ? own?.cmd ?? []
    : [];
  return { entrypoint: overrides.entrypoint ?? inherited, cmd };
}

/** The image's entries in their order, each replaced by the caller's of that name; then the rest. */
function mergeEnv(image: readonly string[], added: readonly string[]): string[] {
  const entries = new Map<string, string>();
  for (const entry of added) {
    const equals = entry.indexOf("=");
    if (equals < 1) throw usage("env", entry, "not of the form NAME=VALUE");
    entries.set(entry.slice(0, equals), entry);
  }
  const kept = image.map((entry) => entries.get(entry.split("=", 1)[0] ?? "") ?? entry);
  return [...kept, ...[...entries.values()].filter((entry) => !kept.includes(entry))];
}

/** Looks the user up, and takes care that a rootless container has it. */
function findUser(request: BundleRequest, name: string, warnings: string[]): ContainerUser {
  const { overrides, rootfs, rootless } = request;
  const code = overrides.user === undefined ? "image-invalid" : "usage";
  const user = lookupUser(rootfs, name, code);
  if (rootless === null) return user;
  const missing = !isMapped(rootless.uid, user.uid)
    ? `user ${user.uid}`
    : !isMapped(rootless.gid, user.gid)
    ? `group ${user.gid}`
    : null;
  if (missing !== null) {
    throw new LayerfsError(
      "privilege-missing",
      `Cannot run as user "${name}": this rootless container has no ${missing}; have root grant ` +
        "you more ids (usermod --add-subuids, --add-subgids), choose another --user, or run as root",
    );
  }
  const additionalGids = user.additionalGids.filter((gid) => isMapped(rootless.gid, gid));
  const lost = user.additionalGids.filter((gid) => !additionalGids.includes(gid));
  if (lost.length > 0) {
    warnings.push(`The process is not in these groups, which are not mapped: ${lost.join(", ")}`);
  }
  return { ...user, additionalGids };
}

function processOf(
  { overrides }: BundleRequest,
  converted: ConvertedConfig,
  user: ContainerUser,
  hostname: string,
): RuntimeProcess {
  const { uid, gid, additionalGids } = user;
  const home = user.home?.startsWith("/") ? user.home : uid === 0 ? "/root" : "/";
  const defaults: [string, string][] = [
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", hostname],
    ["HOME", home],
    ...(overrides.tty ? [["TERM", "xterm"] as [string, string]] : []),
  ];
  return {
    terminal: overrides.tty,
    user: additionalGids.length === 0 ? { uid, gid } : { uid, gid, additionalGids },
    args: converted.args,
    env: defaults.reduce((env, [name, value]) => withDefaultEnv(env, name, value), converted.env),
    cwd: converted.cwd,
    capabilities: capabilitySets(uid, overrides.capAdd, overrides.capDrop),
    // Deno raises its own limit, which the runtime would pass on: programs that close every
    // descriptor up to the limit would take minutes.
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  };
}

function linuxOf({ overrides, rootless }: BundleRequest, warnings: string[]): RuntimeLinux {
  const resources = resourcesOf(overrides);
  if (rootless !== null && Object.keys(resources).length > 0) {
    const options = [
      ...(overrides.memory === undefined ? [] : ["--memory"]),
      ...(overrides.cpus === undefined ? [] : ["--cpus"]),
      ...(resources.pids === undefined ? [] : ["--pids-limit"]),
    ];
    warnings.push(`Without root there are no cgroup limits: ${options.join(", ")} has no effect`);
  }
  const network = overrides.network === "host" ? [] : [{ type: "network" as const }];
  return {
    namespaces: [
      { type: "pid" },
      ...network,
      { type: "ipc" },
      { type: "uts" },
      { type: "mount" },
      { type: "cgroup" },
      ...(rootless === null ? [] : [{ type: "user" as const }]),
    ],
    ...(rootless === null
      // Runtimes add the devices that every container has (runtime-spec, "Default Devices").
      ? { resources: { devices: [{ allow: false, access: "rwm" }], ...resources } }
      : { uidMappings: rootless.uid, gidMappings: rootless.gid }),
    maskedPaths: MASKED_PATHS,
    readonlyPaths: READONLY_PATHS,
  };
}

/** The limits that the caller asked for. */
function resourcesOf({ memory, cpus, pidsLimit }: Overrides): RuntimeResources {
  return {
    ...(memory === undefined ? {} : { memory: { limit: memory } }),
    ...(cpus === undefined
      ? {}
      : { cpu: { quota: Math.round(cpus * CPU_PERIOD), period: CPU_PERIOD } }),
    ...(pidsLimit === undefined || pidsLimit < 0 ? {} : { pids: { limit: pidsLimit } }),
  };
}

function hostnameOf({ overrides: { hostname }, id }: BundleRequest): string {
  return hostname === undefined ? id.slice(0, 64) : parseHostname(hostname);
}

/** A NUL ends a string for the kernel: what follows would be lost without a word. */
function refuseNul({ process }: RuntimeConfig): void {
  const wrong = [...process.args, ...process.env, process.cwd].find((text) => text.includes("\0"));
  if (wrong === undefined) return;
  throw new LayerfsError(
    "usage",
    `Cannot pass ${JSON.stringify(wrong)} to a process: it has a NUL character`,
  );
}

function usage(option: string, value: string, state: string): LayerfsError {
  return new LayerfsError("usage", `Cannot use --${option} "${value}": ${state}`, { option });
}
