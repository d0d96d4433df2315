/**
 * From the options of create and run to what createContainer takes.
 *
 * @module
 */

import { capabilityName } from "../container/capabilities.ts";
import type { CreateOptions, CreateResult } from "../container/create.ts";
import { existingVolume } from "../container/host_path.ts";
import {
  type Overrides,
  parseCpus,
  parseEntrypoint,
  parseEnv,
  parseEnvFile,
  parseHostname,
  parseKeyValue,
  parseNetwork,
  parsePidsLimit,
  parseSize,
  parseTmpfs,
  parseVolume,
  parseWorkdir,
} from "../container/overrides.ts";
import { LayerfsError } from "../errors.ts";
import { storageError } from "../system_error.ts";
import type { Context, Input, Outcome } from "./context.ts";
import type { Io } from "./io.ts";
import { pullAccess } from "./registry_access.ts";
import { imageHost } from "./registry_host.ts";
import type { Values } from "./spec.ts";
import type { SPECS } from "./specs.ts";
import { formatBytes, formatDuration } from "./style.ts";

type CreateOptionsTable = (typeof SPECS)["create"]["options"];
type CreateValues = Values<CreateOptionsTable>;

/**
 * Builds the request of `create` and `run`.
 *
 * @param cwd absolute directory that relative paths of volumes start from
 * @throws {LayerfsError} `usage` for a value that cannot be read, or for options that exclude each
 * other
 */
export function createRequest(
  { values, operands }: Input<CreateOptionsTable>,
  context: Context,
  cwd: string = Deno.cwd(),
): CreateOptions {
  const { image, command } = splitOperands(values, operands);
  const { name, bundle, platform, rootfs, fallback } = values;
  const given = Object.entries({ image, name, bundle, platform, rootfs, fallback })
    .filter(([, value]) => value !== undefined);
  const overrides = readOverrides(values, context.io, cwd);
  return {
    ...Object.fromEntries(given),
    ...context.store(),
    ...pullAccess(values, context, () => image === undefined ? null : imageHost(image)),
    keepBlobs: values["keep-blobs"],
    overrides,
    command,
    signal: context.signal,
    ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
  };
}

/** With --rootfs, all operands are the command, as with podman. */
function splitOperands(
  values: CreateValues,
  operands: readonly string[],
): { image: string | undefined; command: readonly string[] } {
  if (values.rootfs !== undefined) {
    if (values.fallback !== undefined) {
      throw new LayerfsError(
        "usage",
        "Cannot use --fallback with --rootfs: there is no image that could be missing",
      );
    }
    return { image: undefined, command: operands };
  }
  const [image, ...command] = operands;
  if (image === undefined || image === "") {
    throw new LayerfsError(
      "usage",
      "Cannot create a container: no IMAGE is given; name one, or use --rootfs DIR|TAR",
    );
  }
  return { image, command };
}

function readOverrides(values: CreateValues, io: Io, cwd: string): Overrides {
  const lookup = (name: string) => io.env([name]).get(name);
  const { entrypoint, workdir, user, hostname, memory, cpus, quota, network } = values;
  const pidsLimit = values["pids-limit"];
  const record = (option: "label" | "annotation") =>
    Object.fromEntries(values[option].map((text) => parseKeyValue(text, option)));
  return {
    ...(entrypoint === undefined ? {} : { entrypoint: parseEntrypoint(entrypoint) }),
    // A single --env wins over a file, wherever it stands (docker, podman).
    env: [
      ...values["env-file"].flatMap((file) => parseEnvFile(readEnvFile(file), lookup)),
      ...values.env.map((text) => parseEnv(text, lookup)).filter((entry) => entry !== null),
    ],
    ...(workdir === undefined ? {} : { workdir: parseWorkdir(workdir) }),
    ...(user === undefined ? {} : { user }),
    ...(hostname === undefined ? {} : { hostname: parseHostname(hostname) }),
    labels: record("label"),
    annotations: record("annotation"),
    // Whoever mistypes one is told before an image is fetched for it.
    volumes: values.volume.map((text) => existingVolume(parseVolume(text, cwd))),
    tmpfs: values.tmpfs.map((text) => parseTmpfs(text)),
    readonly: values["read-only"],
    tty: values.tty,
    ...(memory === undefined ? {} : { memory: parseSize(memory, "memory") }),
    ...(cpus === undefined ? {} : { cpus: parseCpus(cpus) }),
    ...(pidsLimit === undefined ? {} : { pidsLimit: parsePidsLimit(pidsLimit) }),
    ...(quota === undefined ? {} : { quota: parseSize(quota, "quota") }),
    capAdd: values["cap-add"].map((name) => capabilityName(name, "cap-add")),
    capDrop: values["cap-drop"].map((name) => capabilityName(name, "cap-drop")),
    ...(network === undefined ? {} : { network: parseNetwork(network) }),
  };
}

function readEnvFile(file: string): string {
  const action = `Cannot read --env-file "${file}"`;
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(file);
  } catch (error) {
    throw storageError(error, action);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LayerfsError("usage", `${action}: it is not UTF-8`, {}, { cause });
  }
}

/** What `create` prints. */
export function createOutcome(result: CreateResult): Outcome {
  const { total, reused } = result.layers;
  const layers = result.image === null ? "" : `, ${total} layers (${reused} reused)`;
  const bytes = result.bytes.uncompressed > 0 ? `, ${formatBytes(result.bytes.uncompressed)}` : "";
  return {
    document: result,
    text: `${result.bundle}\n`,
    warnings: result.warnings,
    remark: `container ${result.id} from ${result.source}${layers}${bytes}, ` +
      `${result.driver} driver, ${formatDuration(result.durationMs)}`,
  };
}
