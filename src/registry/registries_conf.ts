/**
 * registries.conf: which registry a name really leads to, and how (containers-registries.conf(5),
 * version 2).
 *
 * @example
 * ```ts
 * import { endpoints, parseRegistriesConf } from "./registries_conf.ts";
 *
 * const entries = parseRegistriesConf('[[registry]]\nlocation = "registry.lan"\ninsecure = true', "x");
 * const [primary] = endpoints(entries, { host: "registry.lan", repository: "app", tag: "latest" });
 * console.assert(primary?.insecure === true);
 * ```
 *
 * @module
 */

import { parse } from "@std/toml/parse";
import { LayerfsError } from "../errors.ts";
import { Fields } from "../oci/fields.ts";
import { type ImageName, parseImageName } from "../oci/reference.ts";
import { quote } from "../oci/strict_json.ts";

/** Which pulls a mirror is for. */
export type MirrorUse = "all" | "digest-only" | "tag-only";

/** One `[[registry.mirror]]`. */
export interface Mirror {
  /** What takes the place of the registry's prefix. */
  readonly location: string;
  /** As of a registry. */
  readonly insecure: boolean;
  /** Which pulls it is for. */
  readonly use: MirrorUse;
}

/** One `[[registry]]` table. */
export interface RegistryEntry {
  /** The file it comes from, for messages. */
  readonly file: string;
  /** Beginning of the names that it is about; `*.` and a domain for all hosts below that. */
  readonly prefix: string;
  /** What takes the place of the prefix; "" where nothing does. */
  readonly location: string;
  /** Whether certificates that nobody vouches for, and plain HTTP, are taken. */
  readonly insecure: boolean;
  /** Whether its use is forbidden. */
  readonly blocked: boolean;
  /** In the order in which they are tried. */
  readonly mirrors: readonly Mirror[];
}

/** A registry and repository that requests go to. */
export interface Endpoint {
  /** Host and perhaps port; "docker.io" for Docker Hub. */
  readonly host: string;
  /** The repository there. */
  readonly repository: string;
  /** Whether certificates that nobody vouches for, and plain HTTP, are taken. */
  readonly insecure: boolean;
  /** Whether it stands in for the registry that the name says. */
  readonly mirror: boolean;
}

/**
 * Parses one file.
 *
 * @param file its path, for messages
 * @throws {LayerfsError} `usage` where it is not as containers-registries.conf(5) says
 */
export function parseRegistriesConf(text: string, file: string): RegistryEntry[] {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw wrong(file, `it is not TOML: ${error.message}`);
  }
  try {
    const fields = new Fields(file, "", document);
    if (fields.has("registries")) {
      throw wrong(file, "[registries.…] is of version 1; write [[registry]] tables instead");
    }
    return fields.objects("registry").map((table) => readEntry(table, file));
  } catch (error) {
    // The checks of Fields are made for documents of images.
    if (!(error instanceof LayerfsError) || error.code !== "image-invalid") throw error;
    throw new LayerfsError("usage", error.message, { file });
  }
}

/** Entries of files that are read one after the other: the last one for a prefix counts. */
export function mergeEntries(files: readonly (readonly RegistryEntry[])[]): RegistryEntry[] {
  return [...new Map(files.flat().map((entry) => [entry.prefix, entry])).values()];
}

/**
 * Where an image is to be pushed to: where its name says. Locations and mirrors are for pulls only.
 *
 * @throws {LayerfsError} `unauthorized` where the registry is blocked
 */
export function pushEndpoint(entries: readonly RegistryEntry[], image: ImageName): Endpoint {
  const { host, repository } = image;
  const insecure = allowedEntry(entries, image)?.entry.insecure ?? false;
  return { host, repository, insecure, mirror: false };
}

/**
 * Where an image is to be pulled from, mirrors first, the registry itself last.
 *
 * @throws {LayerfsError} `unauthorized` where the registry is blocked
 */
export function endpoints(entries: readonly RegistryEntry[], image: ImageName): Endpoint[] {
  const own = { host: image.host, repository: image.repository, insecure: false, mirror: false };
  const found = allowedEntry(entries, image);
  if (found === undefined) return [own];
  const { entry, rest } = found;
  const at = (location: string, insecure: boolean, mirror: boolean): Endpoint => {
    if (location === "") return { ...own, insecure, mirror };
    const { host, repository } = locate(location + rest, entry.file);
    return { host, repository, insecure, mirror };
  };
  const mirrors = entry.mirrors.filter(({ use }) =>
    use === "all" || (use === "digest-only") === (image.digest !== undefined)
  );
  return [
    ...mirrors.map(({ location, insecure }) => at(location, insecure, true)),
    at(entry.location, entry.insecure, false),
  ];
}

/** Whether a host as a whole is insecure, for redirects that lead to it. */
export function isInsecureHost(entries: readonly RegistryEntry[], host: string): boolean {
  return entries.some(({ prefix, location, insecure }) =>
    insecure && (prefix === host || location === host || matchesWildcard(prefix, host))
  );
}

/** The entry for an image. @throws where it blocks it */
function allowedEntry(entries: readonly RegistryEntry[], image: ImageName) {
  const found = findEntry(entries, image);
  if (found?.entry.blocked !== true) return found;
  const { file, prefix } = found.entry;
  throw new LayerfsError(
    "unauthorized",
    `Cannot use ${image.host}/${image.repository}: "${file}" blocks ${quote(prefix)}`,
    { registry: image.host, file },
  );
}

/** The entry whose prefix matches most of the name, and what of the name follows the prefix. */
function findEntry(
  entries: readonly RegistryEntry[],
  { host, repository, tag, digest }: ImageName,
) {
  // Tags and digests may be part of a prefix.
  const name = `${host}/${repository}`;
  const full = digest !== undefined
    ? `${name}@${digest}`
    : tag !== undefined
    ? `${name}:${tag}`
    : name;
  let found: { entry: RegistryEntry; length: number; rest: string } | undefined;
  for (const entry of entries) {
    const length = matchLength(entry.prefix, host, full);
    if (length === 0 || length <= (found?.length ?? 0)) continue;
    found = { entry, length, rest: name.slice(length) };
  }
  return found;
}

/** Characters of the name that the prefix stands for; 0 where it does not match. */
function matchLength(prefix: string, host: string, full: string): number {
  if (matchesWildcard(prefix, host)) return host.length;
  if (!full.startsWith(prefix)) return 0;
  return full.length === prefix.length || /[/:@]/.test(full[prefix.length] ?? "")
    ? prefix.length
    : 0;
}

function matchesWildcard(prefix: string, host: string): boolean {
  return prefix.startsWith("*.") && host.length >= prefix.length && host.endsWith(prefix.slice(1));
}

function readEntry(table: Fields, file: string): RegistryEntry {
  const location = (table.optionalString("location") ?? "").replace(/\/+$/, "");
  const prefix = (table.optionalString("prefix") || location).replace(/\/+$/, "");
  if (prefix === "") throw wrong(file, `${table.path} has neither "location" nor "prefix"`);
  if (prefix.includes("://") || location.includes("://")) {
    throw wrong(file, `${table.path} has a URL; a location is HOST[:PORT][/NAME]`);
  }
  if (prefix.includes("*") && !/^\*\.[^*/:@]+$/.test(prefix)) {
    throw wrong(file, `the prefix ${quote(prefix)} is not "*." and a domain`);
  }
  if (location === "" && !prefix.startsWith("*.")) {
    throw wrong(file, `${table.path} has no "location"`);
  }
  const byDigest = table.boolean("mirror-by-digest-only");
  return {
    file,
    prefix,
    location,
    insecure: table.boolean("insecure"),
    blocked: table.boolean("blocked"),
    mirrors: table.objects("mirror").map((mirror) => readMirror(mirror, byDigest, file)),
  };
}

function readMirror(table: Fields, byDigest: boolean, file: string): Mirror {
  const location = table.string("location").replace(/\/+$/, "");
  const use = table.optionalString("pull-from-mirror") || "all";
  if (use !== "all" && use !== "digest-only" && use !== "tag-only") {
    throw wrong(file, `${table.path} has pull-from-mirror ${quote(use)}`);
  }
  if (byDigest && table.has("pull-from-mirror")) {
    throw wrong(file, `${table.path} has pull-from-mirror beside mirror-by-digest-only`);
  }
  return { location, insecure: table.boolean("insecure"), use: byDigest ? "digest-only" : use };
}

/** A rewritten name, which must be one like any other. */
function locate(name: string, file: string): ImageName {
  // As locations name a host always, "registry/app" has one too, which Docker's rules would not see.
  const slash = name.indexOf("/");
  const host = name.slice(0, slash);
  try {
    if (slash > 0 && /^[a-z0-9-]+$/.test(host)) {
      // Only the repository is looked at: any host does.
      return { ...parseImageName(`localhost/${name.slice(slash + 1)}`), host };
    }
    return parseImageName(name);
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    throw wrong(file, `it leads to ${quote(name)}, which is no image name`);
  }
}

function wrong(file: string, state: string): LayerfsError {
  return new LayerfsError("usage", `Cannot read "${file}": ${state}`, { file });
}
