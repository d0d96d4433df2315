/**
 * A store: the directory in which containers live.
 *
 *     store.json               what it remembers: the driver of its first use
 *     containers/<id>/         a container's bundle, or a symlink to one made elsewhere
 *     staging/                 work in progress (see staging.ts)
 *     publish.lock             held while a name is taken or given back
 *
 * The names are the truth: a container exists when `containers/<id>` leads to a bundle with a
 * record. Every directory is mode 0700, as a root filesystem has setuid programs in it.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError } from "../errors.ts";
import { storageError } from "../system_error.ts";
import { DirectoryDriver } from "./directory_driver.ts";
import type { Driver, DriverName } from "./driver.ts";
import { FileLock } from "./lock.ts";
import { Staging, sweepStaging } from "./staging.ts";

/** Which store, and how it is to be used. */
export interface StoreOptions {
  /** The store's directory; made on its first use. */
  readonly store: string;
  /** `auto` takes what the store remembers, else the best driver there is. */
  readonly driver: DriverName | "auto";
  /** The ZFS dataset that holds the store. */
  readonly dataset?: string;
}

/** What `store.json` holds. */
interface Settings {
  readonly version: 1;
  readonly driver: DriverName;
}

/** A driver, and why it was chosen, for people to read. */
export interface DriverChoice {
  readonly name: DriverName;
  readonly reason: string;
}

export class Store {
  /** Absolute path. */
  readonly path: string;
  readonly driver: Driver;

  private constructor(directory: string, driver: Driver) {
    this.path = directory;
    this.driver = driver;
  }

  /**
   * Opens a store to work in it; makes it where it is missing, and sweeps the litter of processes
   * that died.
   *
   * @throws {LayerfsError} `conflict` where the driver contradicts what the store remembers
   */
  static async open(options: StoreOptions): Promise<Store> {
    const directory = path.resolve(options.store);
    const { name } = chooseDriver(options);
    try {
      for (const below of ["", "/containers", "/staging"]) {
        fs.mkdirSync(directory + below, { recursive: true, mode: 0o700 });
      }
      writeSettings(directory, { version: 1, driver: name });
      await sweepStaging(`${directory}/staging`);
    } catch (error) {
      throw storageError(error, `Cannot open the store "${directory}"`);
    }
    return new Store(directory, createDriver(name));
  }

  /** A staging directory for this process. */
  stage(): Staging {
    return Staging.create(`${this.path}/staging`);
  }

  /** Holds off everybody else who takes or gives back a container's name. */
  lockNames(): Promise<FileLock> {
    return FileLock.wait(`${this.path}/publish.lock`);
  }
}

/**
 * The driver that a store has, or would have on its first use, and why. Changes nothing.
 *
 * @throws {LayerfsError} `conflict` where it contradicts what the store remembers, `unsupported` for
 * a driver that this version does not have
 */
export function chooseDriver(options: StoreOptions): DriverChoice {
  checkDataset(options);
  const remembered = readSettings(path.resolve(options.store))?.driver;
  if (remembered !== undefined) {
    if (options.driver !== "auto" && options.driver !== remembered) {
      throw new LayerfsError(
        "conflict",
        `Cannot use driver "${options.driver}": the store "${options.store}" was made with ` +
          `driver "${remembered}"; use another --store`,
      );
    }
    return { name: remembered, reason: "the store was made with it" };
  }
  if (options.driver === "auto") {
    return { name: "directory", reason: "it works on every filesystem and for every user" };
  }
  createDriver(options.driver);
  return { name: options.driver, reason: "it was asked for" };
}

/** A dataset that is named is meant to hold the store: to put it elsewhere would be no service. */
function checkDataset({ dataset, driver }: StoreOptions): void {
  if (dataset === undefined) return;
  if (driver === "auto" || driver === "zfs") createDriver("zfs");
  throw new LayerfsError(
    "usage",
    `Cannot use dataset "${dataset}" with driver "${driver}": only the driver "zfs" has one`,
    { dataset, driver },
  );
}

function createDriver(name: DriverName): Driver {
  if (name === "directory") return new DirectoryDriver();
  throw new LayerfsError(
    "unsupported",
    `Cannot use driver "${name}": this version has only the driver "directory"`,
  );
}

function readSettings(directory: string): Settings | null {
  let text: string;
  try {
    text = fs.readFileSync(`${directory}/store.json`, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
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

/** Writes the settings of a new store. Of two first uses at a time, one wins with all it says. */
function writeSettings(directory: string, settings: Settings): void {
  const file = `${directory}/store.json`;
  if (fs.existsSync(file)) return;
  const temporary = `${file}.${crypto.randomUUID()}`;
  fs.writeFileSync(temporary, JSON.stringify(settings) + "\n", { mode: 0o600 });
  fs.renameSync(temporary, file);
}
