/**
 * What a bundle says of the container that it holds: `layerfs.json` beside `config.json`.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Digest, digestProblem } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { PENDING, RECORD_FILE } from "../store/claim.ts";
import type { DriverName } from "../store/driver.ts";
import { isDriverName } from "../store/settings.ts";
import { errnoName, storageError } from "../system_error.ts";
import { NO_OVERRIDES, type Overrides } from "./overrides.ts";

/** Where a root filesystem came from. */
export type RootfsOrigin = "image" | "rootfs" | "fallback";

/** The image of a container. */
export interface ImageRecord {
  /** As it was asked for. */
  readonly reference: string;
  /** Of the manifest; null for a docker-archive, which has none. */
  readonly digest: Digest | null;
  /** Of the image's configuration. */
  readonly configDigest: Digest;
  /** Of the top layer; null for an image without layers. */
  readonly chainId: Digest | null;
  /** Such as `linux/arm64/v8`. */
  readonly platform: string;
}

/** What a container's config.json was made of, beside the image. */
export interface ContainerSettings {
  /** What the caller wanted other than the image says. */
  readonly overrides: Overrides;
  /** The caller's command; empty for the image's own. */
  readonly command: readonly string[];
  /** Of config.json as it was written: who finds another one, knows that somebody has changed it. */
  readonly configDigest: Digest;
}

/** The content of `layerfs.json`. */
export interface ContainerRecord {
  /** Of this format. */
  readonly version: 1;
  /** The container's id. */
  readonly id: string;
  /** RFC 3339. */
  readonly created: string;
  /** What keeps the root filesystem. */
  readonly driver: DriverName;
  /** Where the root filesystem came from. */
  readonly source: RootfsOrigin;
  /** ChainID of the layer that the root filesystem began as; null where it began empty. */
  readonly top: Digest | null;
  /** The image; null where the container has none. */
  readonly image: ImageRecord | null;
  /** Absent in records of versions without `rebase`, and in those that fsck has restored. */
  readonly settings?: ContainerSettings;
  /** Name of the replacement that is to become this container (see store/replacement.ts). */
  readonly pending?: string;
}

/** A JSON object. */
type Members = { readonly [name: string]: unknown };

/** A container id as runc and crun take it, short enough for a host name. */
const ID = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,62}$/;

/** Refuses what cannot be a container's id: it becomes a file name. */
export function checkId(id: string): void {
  if (ID.test(id)) return;
  throw new LayerfsError(
    "usage",
    `Cannot use container id "${id}": it must be 1 to 63 letters, digits, "_", ".", "+" or "-", ` +
      "and begin with a letter or a digit",
  );
}

/** The text of a record. */
export function formatRecord(record: ContainerRecord): string {
  return JSON.stringify(record, null, 2) + "\n";
}

/**
 * Reads the record of `bundle`; null where there is none.
 *
 * @throws {LayerfsError} `storage` for a damaged record, `unsupported` for one of a later version
 */
export function readRecord(bundle: string): ContainerRecord | null {
  const file = `${bundle}/${RECORD_FILE}`;
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    if (errnoName(error) === "ENOENT" || errnoName(error) === "ENOTDIR") return null;
    throw storageError(error, `Cannot read "${file}"`);
  }
  const value = parseObject(text, file);
  if (isVersion(value.version) && value.version !== 1) {
    throw new LayerfsError(
      "unsupported",
      `Cannot read "${file}": its version is "${value.version}"; update layerfs`,
    );
  }
  const record = parseRecord(value);
  if (record === null) throw damaged(file);
  return record;
}

function parseObject(text: string, file: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(file, { cause: error });
  }
  if (!isObject(value)) throw damaged(file);
  return value;
}

function damaged(file: string, options?: ErrorOptions): LayerfsError {
  return new LayerfsError(
    "storage",
    `Cannot read "${file}": it is damaged; remove the container with layerfs rm --force ID`,
    { file },
    options,
  );
}

/** A version that a later layerfs may write. */
function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** The record that `value` is, or null where a member is missing or of a wrong type. */
function parseRecord(value: Members): ContainerRecord | null {
  const { version, id, created, driver, source, top } = value;
  const image = value.image === null ? null : parseImage(value.image);
  const settings = value.settings === undefined ? null : parseSettings(value.settings);
  const pending = value[PENDING];
  if (version !== 1 || typeof id !== "string" || !ID.test(id)) return null;
  if (typeof created !== "string" || Number.isNaN(Date.parse(created))) return null;
  if (!isDriverName(driver) || !isOrigin(source)) return null;
  if (!isDigestOrNull(top) || image === undefined || settings === undefined) return null;
  if (pending !== undefined && typeof pending !== "string") return null;
  return {
    ...{ version, id, created, driver, source, top, image },
    ...(settings === null ? {} : { settings }),
    ...(pending === undefined ? {} : { pending }),
  };
}

/** The settings that `value` is, or undefined where it is none. */
function parseSettings(value: unknown): ContainerSettings | undefined {
  if (!isObject(value) || !isObject(value.overrides)) return undefined;
  const { overrides, command, configDigest } = value;
  const isText = (text: unknown) => typeof text === "string";
  if (!Array.isArray(command) || !command.every(isText)) return undefined;
  if (!isDigestOrNull(configDigest) || configDigest === null) return undefined;
  // Written by us, readable by nobody else: values are what the options have made of them.
  return { overrides: { ...NO_OVERRIDES, ...overrides }, command, configDigest };
}

/** The image that `value` is, or undefined where it is none. */
function parseImage(value: unknown): ImageRecord | undefined {
  if (!isObject(value)) return undefined;
  const { reference, digest, configDigest, chainId, platform } = value;
  if (typeof reference !== "string" || typeof platform !== "string") return undefined;
  if (!isDigestOrNull(digest) || !isDigestOrNull(chainId)) return undefined;
  if (!isDigestOrNull(configDigest) || configDigest === null) return undefined;
  return { reference, digest, configDigest, chainId, platform };
}

function isOrigin(value: unknown): value is RootfsOrigin {
  return value === "image" || value === "rootfs" || value === "fallback";
}

function isDigestOrNull(value: unknown): value is Digest | null {
  return value === null || digestProblem(value) === null;
}
