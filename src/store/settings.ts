/**
 * What a store remembers of its first use, in `store.json`, and which driver that makes it have.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { DriverName } from "./driver.ts";

/** Which store, and how it is to be used. */
export interface StoreOptions {
  /** The store's directory; made on its first use. */
  readonly store: string;
  /** `auto` takes what the store remembers, else the best driver there is. */
  readonly driver: DriverName | "auto";
  /** The ZFS dataset that holds layers and containers. */
  readonly dataset?: string;
}

/** What `store.json` holds. */
export interface Settings {
  readonly version: 1;
  readonly driver: DriverName;
  /** Root dataset of the driver "zfs". */
  readonly dataset?: string;
  /** Whether the driver "directory" keeps layers: where the filesystem can share their blocks. */
  readonly keepsLayers?: boolean;
}

/** A driver, and why it was chosen, for people to read. */
export interface DriverChoice {
  readonly name: DriverName;
  readonly dataset?: string;
  readonly reason: string;
}

/**
 * The driver that a store has, or would have on its first use, and why. Changes nothing.
 *
 * @throws {LayerfsError} `conflict` where it contradicts what the store remembers, `usage` for a
 * dataset without the driver "zfs", and the other way round
 */
export async function chooseDriver(options: StoreOptions): Promise<DriverChoice> {
  const remembered = readSettings(path.resolve(options.store));
  if (remembered !== null) {
    checkAgrees(options, remembered);
    const { driver: name, dataset } = remembered;
    const reason = "the store was made with it";
    return { name, ...(dataset === undefined ? {} : { dataset }), reason };
  }
  const { driver, dataset } = options;
  if (dataset !== undefined) {
    if (driver === "auto" || driver === "zfs") {
      const reason = driver === "zfs" ? "it was asked for" : "a dataset was named";
      return { name: "zfs", dataset, reason };
    }
    throw new LayerfsError(
      "usage",
      `Cannot use dataset "${dataset}" with driver "${driver}": only the driver "zfs" has one`,
      { dataset, driver },
    );
  }
  if (driver === "zfs") {
    throw new LayerfsError(
      "usage",
      'Cannot use driver "zfs": no dataset is named; add --dataset POOL/PATH',
      { driver },
    );
  }
  if (driver !== "auto") return { name: driver, reason: "it was asked for" };
  const { overlayProblem } = await import("./overlay/probe.ts");
  const problem = await overlayProblem(path.resolve(options.store));
  return problem === null
    ? { name: "overlay", reason: "no dataset was named, and overlayfs can be mounted" }
    : { name: "directory", reason: `no dataset was named, and ${problem}` };
}

/** A driver or dataset that is named must be the store's: a second one would not see its layers. */
function checkAgrees({ store, driver, dataset }: StoreOptions, remembered: Settings): void {
  const named = dataset === undefined ? `driver "${driver}"` : `dataset "${dataset}"`;
  const driverAgrees = driver === "auto" || driver === remembered.driver;
  if (driverAgrees && (dataset === undefined || dataset === remembered.dataset)) return;
  const kept = remembered.dataset === undefined ? "" : ` and dataset "${remembered.dataset}"`;
  throw new LayerfsError(
    "conflict",
    `Cannot use ${named}: the store "${store}" was made with driver "${remembered.driver}"${kept}; ` +
      "use another --store",
  );
}

/** Reads the settings of the store at `directory`; null where it has none yet. */
export function readSettings(directory: string): Settings | null {
  let text: string;
  try {
    text = fs.readFileSync(`${directory}/store.json`, "utf8");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return null;
    throw storageError(error, `Cannot open the store "${directory}"`);
  }
  const settings = parseSettings(text, directory);
  if (settings.version !== 1) {
    throw new LayerfsError(
      "unsupported",
      `Cannot open the store "${directory}": its version is "${settings.version}"; update layerfs`,
    );
  }
  return settings;
}

function parseSettings(text: string, directory: string): Settings {
  try {
    return JSON.parse(text) as Settings;
  } catch (error) {
    const action = `Cannot open the store "${directory}"`;
    throw new LayerfsError("storage", `${action}: its store.json is damaged`, {}, { cause: error });
  }
}

/**
 * Writes the settings of a new store.
 *
 * @returns false where another process was first: its settings count
 */
export function writeSettings(directory: string, settings: Settings): boolean {
  const file = `${directory}/store.json`;
  const temporary = `${file}.${crypto.randomUUID()}`;
  fs.writeFileSync(temporary, JSON.stringify(settings) + "\n", { mode: 0o600 });
  try {
    fs.linkSync(temporary, file);
    return true;
  } catch (error) {
    if (errnoName(error) === "EEXIST") return false;
    throw error;
  } finally {
    fs.unlinkSync(temporary);
  }
}
