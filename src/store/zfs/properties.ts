/**
 * Properties of many datasets in one call of `zfs get`.
 *
 * `zfs list` would print less, but gives exact bytes (-p) on OpenZFS only; `zfs get -p` does so on
 * zfs-fuse too. There, listing takes about 0.65 ms a filesystem and 1.2 ms a snapshot (measured),
 * however few properties are asked for.
 *
 * @module
 */

import { run } from "../../process.ts";
import { ZFS_ENVIRONMENT } from "./zfs.ts";
import { failureError, parseFailure } from "./zfs_failure.ts";

/**
 * Values by property, by the name of the dataset or snapshot. "-" stands for no value, and that of a
 * user property which a dataset has only from one above it: it says nothing of this one.
 */
export type Properties = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Bytes of names that go into one command line. A program takes 2 MiB of arguments as a rule, of
 * which the environment is part; an image's layers, and some hundred containers, need far less.
 */
const MAX_NAME_BYTES = 256 * 1024;

/**
 * The properties of those of `names` that there are. Where the names are too many for one command
 * line, those of everything below `parent` instead: still one call.
 *
 * @param action begins the message of an error
 */
export async function propertiesOf(
  names: readonly string[],
  parent: string,
  properties: readonly string[],
  action: string,
): Promise<Properties> {
  const bytes = names.reduce((sum, name) => sum + name.length + 1, 0);
  if (bytes > MAX_NAME_BYTES) return await propertiesBelow([parent], properties, action);
  return await get(names, properties, action);
}

/** The properties of `parents`, of all datasets below them, and of the snapshots of those. */
export function propertiesBelow(
  parents: readonly string[],
  properties: readonly string[],
  action: string,
): Promise<Properties> {
  return get(parents, properties, action, ["-r"]);
}

/**
 * The properties of `parents`, and of the datasets directly below them. Of their snapshots those of
 * `parents` come along at most.
 */
export function propertiesOneBelow(
  parents: readonly string[],
  properties: readonly string[],
  action: string,
): Promise<Properties> {
  return get(parents, properties, action, ["-d", "1"]);
}

/** @param depth options that say how far below the names to go */
async function get(
  names: readonly string[],
  properties: readonly string[],
  action: string,
  depth: readonly string[] = [],
): Promise<Properties> {
  // No "--": zfs-fuse takes it for the list of properties. No name begins with "-".
  const args = ["get", "-Hp", ...depth, "-o", "name,property,value,source"];
  const all = [...args, properties.join(","), ...names];
  const result = await run("zfs", all, { env: ZFS_ENVIRONMENT });
  // It complains of each that is missing, a line each, and prints the others.
  const complaints = result.stderr.split("\n").filter((line) => {
    return line !== "" && !/^cannot open '.*': dataset does not exist$/.test(line);
  });
  if (result.code !== 0 && (complaints.length > 0 || result.stderr === "")) {
    throw failureError(parseFailure(result.stderr), action);
  }
  return parseProperties(result.stdout);
}

/** Reads `zfs get -H -o name,property,value,source`. */
export function parseProperties(stdout: string): Properties {
  const all = new Map<string, Map<string, string>>();
  for (const line of stdout.split("\n")) {
    const [name, property, ...rest] = line.split("\t");
    const source = rest.pop();
    if (name === undefined || property === undefined || source === undefined) continue;
    let properties = all.get(name);
    if (properties === undefined) all.set(name, properties = new Map());
    const inherited = property.includes(":") && source.startsWith("inherited from ");
    properties.set(property, inherited ? "-" : rest.join("\t"));
  }
  return all;
}
