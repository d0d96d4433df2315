/**
 * Platforms: their normal form, and the choice of an image for one among several (image-spec
 * image-index.md "Platform Variants"; the order of fallbacks is the one containerd made usual).
 *
 * @example
 * ```ts
 * import { formatPlatform, parsePlatform, selectPlatform } from "./platform.ts";
 *
 * const mediaType = "application/vnd.oci.image.manifest.v1+json";
 * const images = [
 *   { mediaType, platform: parsePlatform("linux/amd64") },
 *   { mediaType, platform: parsePlatform("linux/arm/v6") },
 * ];
 * const chosen = selectPlatform(images, parsePlatform("linux/arm64"));
 * console.assert(formatPlatform(chosen.platform!) === "linux/arm/v6");
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Fields } from "./fields.ts";
import { isConfig, isIndex, isManifest } from "./media_type.ts";
import { quote } from "./strict_json.ts";

/** What an image needs of the machine. Absent members make no demand. */
export interface Platform {
  /** As Go's GOOS: "linux". */
  readonly os: string;
  /** As Go's GOARCH: "amd64". */
  readonly architecture: string;
  /** Such as "v7" for arm. */
  readonly variant?: string;
  /** Such as "10.0.14393" on Windows. */
  readonly osVersion?: string;
  /** Features that the system must have. */
  readonly osFeatures?: readonly string[];
}

/** What {@linkcode selectPlatform} looks at: a descriptor has it. */
export interface PlatformChoice {
  /** Of the document that can be chosen. */
  readonly mediaType: string;
  /** What it runs on; absent where its descriptor does not say. */
  readonly platform?: Platform;
  /** Type of the artifact, where it is one. */
  readonly artifactType?: string;
}

const WORD = /^[A-Za-z0-9_.-]+$/;

/**
 * Reads `OS/ARCH[/VARIANT]` and normalises it.
 *
 * @throws {LayerfsError} `usage`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length < 2 || parts.length > 3 || !parts.every((part) => WORD.test(part))) {
    throw new LayerfsError(
      "usage",
      `Cannot read platform: ${quote(text)} is not OS/ARCH[/VARIANT], such as "linux/arm64"`,
    );
  }
  const [os = "", architecture = "", variant] = parts;
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** `OS/ARCH[/VARIANT]`, as given: not normalised. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

/** Other names of architectures, with the variant that they imply. */
const ALIASES: ReadonlyMap<string, readonly [string, string?]> = new Map([
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["i386", ["386"]],
  ["i486", ["386"]],
  ["i586", ["386"]],
  ["i686", ["386"]],
  ["aarch64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
]);

/**
 * The normal form: lowercase, usual names, and no variant where it is the default (amd64/v1,
 * arm64/v8), but for arm, which always has one ("v7" where none is given).
 */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const name = platform.architecture.toLowerCase();
  const [architecture, implied] = ALIASES.get(name) ?? [name];
  const given = (implied ?? platform.variant ?? "").toLowerCase();
  const variant = normalizeVariant(architecture, given);
  return {
    os: os === "macos" ? "darwin" : os,
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(platform.osVersion === undefined ? {} : { osVersion: platform.osVersion }),
    ...(platform.osFeatures === undefined ? {} : { osFeatures: platform.osFeatures }),
  };
}

function normalizeVariant(architecture: string, variant: string): string {
  const numbered = /^[0-9]/.test(variant) ? `v${variant}` : variant;
  switch (architecture) {
    case "386":
      return "";
    case "amd64":
      return numbered === "v1" ? "" : numbered;
    case "arm":
      return numbered === "" ? "v7" : numbered;
    case "arm64": {
      const version = numbered.replace(/\.0$/, "");
      return version === "v8" ? "" : version;
    }
    default:
      return variant;
  }
}

/**
 * The platform whose images run here. The operating system is Linux wherever layerfs runs: that is
 * what its bundles are for.
 */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: "linux", architecture: Deno.build.arch.replace(/gc$/, "") });
}

/**
 * The platforms whose images a machine of platform `wanted` runs, best first: lower variants
 * (amd64/v3 to v1, arm64/v9.x to v8.(x+5) and on to v8, arm/vN to v5), then the 32-bit ones.
 */
export function fallbackPlatforms(wanted: Platform): Platform[] {
  const { variant: _, ...base } = normalizePlatform(wanted);
  return fallbackNames(normalizePlatform(wanted)).map(([architecture, variant]) =>
    normalizePlatform({ ...base, architecture, ...(variant === "" ? {} : { variant }) })
  );
}

/** Architecture and variant of each fallback. */
function fallbackNames(platform: Platform): [string, string][] {
  const { architecture, variant = "" } = platform;
  const version = /^v([0-9]{1,2})(?:\.([0-9]{1,2}))?$/.exec(variant);
  const major = Number(version?.[1] ?? NaN);
  const minor = Number(version?.[2] ?? 0);
  if (architecture === "amd64") {
    const levels = variant === "" ? [""] : [variant, ...countDown(major - 1, 1)];
    return [...levels.map((level): [string, string] => ["amd64", level]), ["386", ""]];
  }
  if (architecture === "arm") {
    return [variant, ...countDown(major - 1, 5)].map((level) => ["arm", level]);
  }
  if (architecture !== "arm64") return [[architecture, variant]];
  if (variant !== "" && version === null) return [["arm64", variant], ["arm64", ""]];
  const levels = major === 9
    ? [...minors(9, minor), ...minors(8, Math.min(minor + 5, 9))]
    : minors(8, major === 8 ? minor : 0);
  return [
    ...levels.map((level): [string, string] => ["arm64", level]),
    ...countDown(8, 5).map((level): [string, string] => ["arm", level]),
  ];
}

/** `v<from>` down to `v<to>`; none where `from` is below `to` or not a number. */
function countDown(from: number, to: number): string[] {
  const levels: string[] = [];
  for (let level = from; level >= to; level--) levels.push(`v${level}`);
  return levels;
}

/** `v<major>.<from>` down to `v<major>.0`. */
function minors(major: number, from: number): string[] {
  return countDown(from, 0).map((minor) => `v${major}.${minor.slice(1)}`);
}

/** Whether an image for `offered` is one for exactly the platform `wanted`, both normalised. */
function matches(offered: Platform, wanted: Platform): boolean {
  return offered.os === wanted.os && offered.architecture === wanted.architecture &&
    offered.variant === wanted.variant &&
    (offered.osVersion === undefined || wanted.osVersion === undefined ||
      offered.osVersion === wanted.osVersion) &&
    // Each feature is mandatory: what was not asked for may not be there.
    (offered.osFeatures ?? []).every((feature) => wanted.osFeatures?.includes(feature) === true);
}

/**
 * The choices whose images run on `wanted`, best first: by fallback, then by their order. Those
 * that name no platform come last; their config says what they are. Documents of other types, and
 * artifacts, are passed over (image-index.md: an unknown mediaType is no error).
 */
export function rankPlatforms<T extends PlatformChoice>(
  choices: readonly T[],
  wanted: Platform,
): T[] {
  const images = choices.filter((choice) =>
    (isManifest(choice.mediaType) || isIndex(choice.mediaType)) &&
    (choice.artifactType === undefined || isConfig(choice.artifactType))
  );
  const ranked = fallbackPlatforms(wanted).flatMap((fallback) =>
    images.filter(({ platform }) =>
      platform !== undefined && matches(normalizePlatform(platform), fallback)
    )
  );
  return [...ranked, ...images.filter(({ platform }) => platform === undefined)];
}

/**
 * The choice that fits `wanted` best.
 *
 * @throws {LayerfsError} `platform-not-found`, listing what there is
 */
export function selectPlatform<T extends PlatformChoice>(
  choices: readonly T[],
  wanted: Platform,
): T {
  const [best] = rankPlatforms(choices, wanted);
  if (best !== undefined) return best;
  const offered = [
    ...new Set(
      choices.flatMap(({ platform }) => platform === undefined ? [] : [formatPlatform(platform)]),
    ),
  ].join(", ");
  const asked = formatPlatform(wanted);
  throw new LayerfsError(
    "platform-not-found",
    `Cannot choose an image for "${asked}": the index has ${
      offered === "" ? "no image" : offered
    }; choose one with --platform`,
    { platform: asked, available: offered },
  );
}

/**
 * Reads the platform that a descriptor or a config carries in its members `architecture`, `os`,
 * `variant`, `os.version` and `os.features`.
 *
 * @throws {LayerfsError} `image-invalid`
 */
export function readPlatform(fields: Fields): Platform {
  const variant = fields.optionalString("variant");
  const osVersion = fields.optionalString("os.version");
  const osFeatures = fields.strings("os.features");
  return {
    os: requiredString(fields, "os"),
    architecture: requiredString(fields, "architecture"),
    ...(variant ? { variant } : {}),
    ...(osVersion ? { osVersion } : {}),
    ...(osFeatures.length > 0 ? { osFeatures } : {}),
  };
}

/** A string that must be there, if only empty: some builders write "" for what has no platform. */
function requiredString(fields: Fields, name: string): string {
  const value = fields.optionalString(name);
  if (value === undefined) throw fields.error(name, "a string");
  return value;
}
