/**
 * What a store remembers of its first use, in `store.json`, and which driver that makes it have.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import { exists, namesIn } from "../files.ts";
import { isObject } from "../oci/fields.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { DriverName } from "./driver.ts";

/** Where they are, in the store. */
const SETTINGS_FILE = "store.json";

/** What it may say, for people who have to write it. */
const EXAMPLE = '{"version":1,"driver":"overlay"}, or {"version":1,"driver":"zfs","dataset":' +
  '"POOL/PATH"}, as it was';

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
  /**
   * Where the store was when the dataset was last found to be its own, with the driver "zfs": a copy of
   * the store's directory is elsewhere. Absolute, without symlinks; stores of early versions have none.
   */
  readonly path?: string;
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
 * dataset without the driver "zfs", and the other way round, `storage` where the store has lost what
 * it remembered, or that is damaged
 */
export async function chooseDriver(options: StoreOptions): Promise<DriverChoice> {
  const remembered = readSettings(resolve(options.store));
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
  const { overlayProblem }: typeof import("./overlay/probe.ts") = await import(
    import.meta.resolve("./overlay/probe.ts")
  );
  const problem = await overlayProblem(resolve(options.store));
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

/**
 * Reads the settings of the store at `directory`; null where it has none yet.
 *
 * @throws {LayerfsError} `storage` where they are damaged, or lost (there are containers, layers or
 * images without them), `unsupported` for those of a later version
 */
export function readSettings(directory: string): Settings | null {
  const file = `${directory}/${SETTINGS_FILE}`;
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    if (errnoName(error) !== "ENOENT") {
      throw storageError(error, `Cannot open the store "${directory}"`);
    }
    const found = contentOf(directory);
    if (found === null) return null;
    // Another process may have made the store, and more, since we looked.
    if (exists(file)) return readSettings(directory);
    throw lost(directory, found);
  }
  const value = parseObject(text, directory);
  const { version } = value;
  if (Number.isSafeInteger(version) && (version as number) > 1) {
    throw new LayerfsError(
      "unsupported",
      `Cannot open the store "${directory}": its version is "${version}"; update layerfs`,
    );
  }
  const settings = parseSettings(value);
  if (settings === null) throw damaged(directory);
  return settings;
}

/**
 * Whether a store certainly has no layer: it is new, or keeps none.
 *
 * @throws {LayerfsError} as {@linkcode readSettings}
 */
export function hasNoLayers(store: string): boolean {
  const settings = readSettings(resolve(store));
  return settings === null || (settings.driver === "directory" && settings.keepsLayers !== true);
}

/** What there is that another driver would not see; null where the store is new. */
function contentOf(directory: string): "containers" | "layers" | "images" | null {
  if (hasEntries(`${directory}/containers`)) return "containers";
  if (hasEntries(`${directory}/layers`)) return "layers";
  return hasImages(directory) ? "images" : null;
}

/**
 * A store that has lost its settings must not be made anew: with another driver, its layers and
 * containers would not be seen any more, and be litter to gc.
 */
function lost(directory: string, found: string): LayerfsError {
  return new LayerfsError(
    "storage",
    `Cannot open the store "${directory}": ${SETTINGS_FILE} is missing, though there are ` +
      `${found}; write it again: ${EXAMPLE}`,
    { file: `${directory}/${SETTINGS_FILE}` },
  );
}

/** Whether a directory has anything in it but empty directories, which claim nothing. */
function hasEntries(directory: string): boolean {
  try {
    return [...Deno.readDirSync(directory)].some((entry) =>
      !entry.isDirectory || namesIn(`${directory}/${entry.name}`).length > 0
    );
  } catch (error) {
    if (errnoName(error) === "ENOENT") return false;
    throw storageError(error, `Cannot open the store "${directory}"`);
  }
}

/** Whether index.json lists anything. One that cannot be read is taken for such: nobody knows. */
function hasImages(directory: string): boolean {
  try {
    const index: unknown = JSON.parse(Deno.readTextFileSync(`${directory}/index.json`));
    return !isObject(index) || !Array.isArray(index.manifests) || index.manifests.length > 0;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return false;
    if (error instanceof SyntaxError) return true;
    throw storageError(error, `Cannot open the store "${directory}"`);
  }
}

function parseObject(text: string, directory: string): { readonly [name: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(directory, { cause: error });
  }
  if (!isObject(value)) throw damaged(directory);
  return value;
}

function damaged(directory: string, options?: ErrorOptions): LayerfsError {
  return new LayerfsError(
    "storage",
    `Cannot open the store "${directory}": its ${SETTINGS_FILE} is damaged; write it again: ` +
      EXAMPLE,
    { file: `${directory}/${SETTINGS_FILE}` },
    options,
  );
}

/** The settings that `value` is, or null where a member is missing or of a wrong type. */
function parseSettings(value: { readonly [name: string]: unknown }): Settings | null {
  const { version, driver, dataset, path, keepsLayers } = value;
  if (version !== 1 || !isDriverName(driver)) return null;
  if (dataset !== undefined && typeof dataset !== "string") return null;
  if (path !== undefined && typeof path !== "string") return null;
  if (keepsLayers !== undefined && typeof keepsLayers !== "boolean") return null;
  if ((driver === "zfs") !== (dataset !== undefined)) return null;
  return {
    version,
    driver,
    ...(dataset === undefined ? {} : { dataset }),
    ...(path === undefined ? {} : { path }),
    ...(keepsLayers === undefined ? {} : { keepsLayers }),
  };
}

/** Whether `value` names a driver. */
export function isDriverName(value: unknown): value is DriverName {
  return value === "zfs" || value === "overlay" || value === "directory";
}

/**
 * Writes the settings of a new store.
 *
 * @returns false where another process was first: its settings count
 */
export function writeSettings(directory: string, settings: Settings): boolean {
  const temporary = writeTemporary(directory, settings);
  try {
    Deno.linkSync(temporary, `${directory}/${SETTINGS_FILE}`);
    return true;
  } catch (error) {
    if (errnoName(error) === "EEXIST") return false;
    throw error;
  } finally {
    Deno.removeSync(temporary);
  }
}

/** Writes down that the dataset of a store is that of the store at `directory`, without symlinks. */
export function rememberPath(directory: string, settings: Settings): void {
  const temporary = writeTemporary(directory, { ...settings, path: directory });
  try {
    Deno.renameSync(temporary, `${directory}/${SETTINGS_FILE}`);
  } catch (error) {
    Deno.removeSync(temporary);
    throw storageError(error, `Cannot write the settings of the store "${directory}"`);
  }
}

function writeTemporary(directory: string, settings: Settings): string {
  const temporary = `${directory}/${SETTINGS_FILE}.${crypto.randomUUID()}`;
  Deno.writeTextFileSync(temporary, JSON.stringify(settings) + "\n", { mode: 0o600 });
  return temporary;
}
