/**
 * What a bundle says of the container that it holds: `layerfs.json` beside `config.json`.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { RECORD_FILE } from "../store/claim.ts";
import type { DriverName } from "../store/driver.ts";
import { errnoName, storageError } from "../system_error.ts";

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
}

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
 * @throws {LayerfsError} `unsupported` for a record of a later version
 */
export function readRecord(bundle: string): ContainerRecord | null {
  const file = `${bundle}/${RECORD_FILE}`;
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (errnoName(error) === "ENOENT" || errnoName(error) === "ENOTDIR") return null;
    throw storageError(error, `Cannot read "${file}"`);
  }
  const record = parseRecord(text, file);
  if (record.version === 1) return record;
  throw new LayerfsError(
    "unsupported",
    `Cannot read "${file}": its version is "${record.version}"; update layerfs`,
  );
}

function parseRecord(text: string, file: string): ContainerRecord {
  try {
    return JSON.parse(text) as ContainerRecord;
  } catch (error) {
    throw new LayerfsError("storage", `Cannot read "${file}": it is damaged`, {}, { cause: error });
  }
}
