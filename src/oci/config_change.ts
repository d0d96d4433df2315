/**
 * Changes of an image config in the words of a Dockerfile, as `podman commit --change` takes them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { isObject } from "./fields.ts";

/** Members of a config's `config` object. */
type Members = Record<string, unknown>;

/** What each instruction does with its argument. */
const INSTRUCTIONS: Readonly<Record<string, (members: Members, argument: string) => void>> = {
  CMD: (members, argument) => void (members.Cmd = command(argument)),
  ENTRYPOINT: (members, argument) => void (members.Entrypoint = command(argument)),
  ENV: (members, argument) => {
    const [name, value] = pair(argument);
    const others = texts(members.Env).filter((entry) => !entry.startsWith(`${name}=`));
    members.Env = [...others, `${name}=${value}`];
  },
  LABEL: (members, argument) => {
    const [name, value] = pair(argument);
    members.Labels = { ...(isObject(members.Labels) ? members.Labels : {}), [name]: value };
  },
  USER: (members, argument) => void (members.User = argument),
  WORKDIR: (members, argument) => void (members.WorkingDir = argument),
  STOPSIGNAL: (members, argument) => void (members.StopSignal = argument),
  EXPOSE: (members, argument) => {
    const ports = argument.split(/\s+/).map((port) => port.includes("/") ? port : `${port}/tcp`);
    members.ExposedPorts = withKeys(members.ExposedPorts, ports);
  },
  VOLUME: (members, argument) => {
    members.Volumes = withKeys(members.Volumes, list(argument) ?? argument.split(/\s+/));
  },
};

/**
 * The `config` object of an image with `changes`, such as `CMD ["sh"]` or `ENV A=b`, in their order.
 *
 * @throws {LayerfsError} `usage` for what is no such instruction
 */
export function changeConfig(config: unknown, changes: readonly string[]): Members {
  const members: Members = isObject(config) ? { ...config } : {};
  for (const change of changes) {
    const [, name = "", argument = ""] = /^\s*(\w+)\s+(.*\S)\s*$/s.exec(change) ?? [];
    const apply = INSTRUCTIONS[name.toUpperCase()];
    if (apply === undefined) {
      const known = Object.keys(INSTRUCTIONS).join(", ");
      throw new LayerfsError(
        "usage",
        `Cannot use --change "${change}": it is none of ${known}, with an argument`,
        { change },
      );
    }
    apply(members, argument);
  }
  return members;
}

/** Words of JSON, or a command for the shell. */
function command(argument: string): string[] {
  return list(argument) ?? ["/bin/sh", "-c", argument];
}

/** A JSON list of texts; null for what is none. */
function list(argument: string): string[] | null {
  if (!argument.startsWith("[")) return null;
  try {
    const value: unknown = JSON.parse(argument);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  } catch (error) {
    // Docker takes it for a command of the shell, too.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return null;
}

/** `NAME=VALUE`, or `NAME VALUE`; the value may be in quotes. */
function pair(argument: string): [string, string] {
  const [, name, value = ""] = /^([^\s=]+)[=\s](.*)$/s.exec(argument) ?? [];
  if (name === undefined) {
    throw new LayerfsError("usage", `Cannot use --change: "${argument}" is no NAME=VALUE`);
  }
  const quoted = /^"(.*)"$/s.exec(value) ?? /^'(.*)'$/s.exec(value);
  return [name, quoted?.[1] ?? value];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function withKeys(value: unknown, keys: readonly string[]): Members {
  return { ...(isObject(value) ? value : {}), ...Object.fromEntries(keys.map((key) => [key, {}])) };
}
