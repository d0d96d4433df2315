/**
 * A store: the directory in which images, layers and containers live.
 *
 *     store.json               what it remembers of its first use (see settings.ts)
 *     oci-layout, index.json   the store is an OCI image layout: its images (see images.ts)
 *     blobs/                   and their blobs
 *     layers/                  layers, with the drivers that keep them in directories
 *     skeletons/<layer>        what a deep check needs of a layer (see layer/skeleton.ts)
 *     views/<layer>            where `layerfs mount IMAGE` mounts
 *     containers/<id>/         a container's bundle, or a symlink to one made elsewhere
 *     staging/                 work in progress (see staging.ts)
 *     store.lock               held by everybody who works here: shared, by gc and fsck exclusively
 *     names.lock               held while a container's name is taken or given back, or what it
 *                              stands for is replaced
 *     locks/<layer>            held while a layer is made
 *     locks/container-<id>     held while a container's changes are read, or moved to another image
 *
 * The names are the truth: a layer exists when its name does, a container when `containers/<id>`
 * leads to a bundle with a record. Every directory is mode 0700, as a root filesystem has setuid
 * programs in it.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { storageError } from "../system_error.ts";
import { claimsOn, sweepClaim } from "./claim.ts";
import type { Driver } from "./driver.ts";
import { layerName } from "./layer_record.ts";
import { FileLock, type LockMode } from "./lock.ts";
import {
  chooseDriver,
  readSettings,
  rememberPath,
  type Settings,
  type StoreOptions,
  writeSettings,
} from "./settings.ts";
import { type Free, Staging, sweepOne, sweepStaging } from "./staging.ts";

export type { StoreOptions } from "./settings.ts";

/** What every store has, below its own directory. */
const DIRECTORIES = ["", "/containers", "/staging", "/locks", "/skeletons", "/views"] as const;

export class Store implements Disposable {
  /** Absolute path, without symlinks. */
  readonly path: string;
  readonly driver: Driver;
  readonly #lock: FileLock | null;

  private constructor(directory: string, driver: Driver, lock: FileLock | null) {
    this.path = directory;
    this.driver = driver;
    this.#lock = lock;
  }

  /**
   * Opens a store to work in it, until it is disposed of; makes it where it is missing, and sweeps
   * the litter of processes that died. With the mode `exclusive`, nobody else works there, and the
   * litter is left for the caller to tell of.
   *
   * @throws {LayerfsError} `conflict` where the driver contradicts what the store remembers
   */
  static async open(
    options: StoreOptions,
    mode: LockMode = "shared",
    signal?: AbortSignal,
  ): Promise<Store> {
    const directory = resolve(options.store);
    const action = `Cannot open the store "${directory}"`;
    try {
      const settings = await settle(options, directory);
      // As mounts name it.
      const real = Deno.realPathSync(directory);
      makeDirectories(real);
      const lock = await FileLock.wait(`${real}/store.lock`, mode, signal);
      const store = new Store(real, await createDriver(real, settings), lock);
      try {
        if (mode === "shared") await store.sweep();
        return store;
      } catch (error) {
        store[Symbol.dispose]();
        throw error;
      }
    } catch (error) {
      throw storageError(error, action);
    }
  }

  /**
   * Opens a store to look at it; null where there is none. Changes nothing, and may see the work of
   * others half done.
   *
   * @throws {LayerfsError} as {@linkcode Store.open}
   */
  static async read(options: StoreOptions): Promise<Store | null> {
    const directory = resolve(options.store);
    const settings = readSettings(directory);
    if (settings === null) return null;
    await chooseDriver(options); // refuses what contradicts them
    const real = Deno.realPathSync(directory);
    return new Store(real, await createDriver(real, settings), null);
  }

  /** A staging directory for this process. */
  stage(): Staging {
    return Staging.create(this.staging);
  }

  /** Removes what dead processes have left; returns the names of their staging directories. */
  async sweep(): Promise<string[]> {
    return await sweepStaging(this.staging, this.#free);
  }

  /**
   * Frees a name or a bundle of what dead processes have made or removed there.
   *
   * @throws {LayerfsError} why that cannot be: a sweep of all leaves what it cannot remove, and says
   * nothing
   */
  async sweepBundle(bundle: string): Promise<void> {
    for (const name of claimsOn(bundle, this.staging)) {
      await sweepOne(this.staging, name, this.#free);
    }
  }

  readonly #free: Free = async (name, directory) => {
    const { sweepReplacement }: typeof import("./replacement.ts") = await import(
      import.meta.resolve("./replacement.ts")
    );
    // First, as what the driver then sweeps may be what a replacement has left.
    await sweepReplacement(directory, this);
    await this.driver.sweep(name);
    await sweepClaim(directory, this);
  };

  /** Absolute path of the directory in which containers have their names. */
  get containers(): string {
    return `${this.path}/containers`;
  }

  /** Absolute path of the directory of work in progress. */
  get staging(): string {
    return `${this.path}/staging`;
  }

  /** Holds off everybody else who takes or gives back a container's name. */
  lockNames(signal?: AbortSignal): Promise<FileLock> {
    return FileLock.wait(`${this.path}/names.lock`, "exclusive", signal);
  }

  /** Holds off everybody else who makes or mounts this layer. */
  lockLayer(chainId: Digest, signal: AbortSignal): Promise<FileLock> {
    return FileLock.wait(`${this.path}/locks/${layerName(chainId)}`, "exclusive", signal);
  }

  /** The same, where nobody does so now; else null. */
  tryLockLayer(chainId: Digest): FileLock | null {
    return FileLock.tryCreate(`${this.path}/locks/${layerName(chainId)}`);
  }

  /** Holds off everybody else who reads or replaces what is in this container. */
  lockContainer(id: string, signal?: AbortSignal): Promise<FileLock> {
    return FileLock.wait(`${this.path}/locks/container-${id}`, "exclusive", signal);
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
  }
}

/** The settings of a store; those of a new one once its driver has all that it needs. */
async function settle(options: StoreOptions, directory: string): Promise<Settings> {
  const { name, dataset } = await chooseDriver(options);
  const known = readSettings(directory);
  if (known !== null) return known;
  makeDirectories(directory);
  const real = Deno.realPathSync(directory);
  const settings: Settings = {
    version: 1,
    driver: name,
    ...(dataset === undefined ? {} : { dataset, path: real }),
    ...(name === "directory" ? { keepsLayers: await keepsLayers(directory) } : {}),
  };
  const { ImageStore }: typeof import("./images.ts") = await import(
    import.meta.resolve("./images.ts")
  );
  await new ImageStore(real).initialize();
  await (await createDriver(real, settings)).initialize();
  if (writeSettings(directory, settings)) return settings;
  // Another process was first: what it has chosen must be what we may use.
  await chooseDriver(options);
  return readSettings(directory) ?? settings;
}

function makeDirectories(directory: string): void {
  for (const below of DIRECTORIES) {
    Deno.mkdirSync(directory + below, { recursive: true, mode: 0o700 });
  }
}

/** Whether the driver "directory" is to keep layers: where copies of them cost no space. */
async function keepsLayers(directory: string): Promise<boolean> {
  const { canReflink }: typeof import("./directory/reflink.ts") = await import(
    import.meta.resolve("./directory/reflink.ts")
  );
  return await canReflink(directory);
}

/** The driver that the settings name; of the others, nothing is loaded. */
async function createDriver(directory: string, settings: Settings): Promise<Driver> {
  switch (settings.driver) {
    case "zfs": {
      if (settings.dataset === undefined) break;
      const { ZfsDriver }: typeof import("./zfs/zfs_driver.ts") = await import(
        import.meta.resolve("./zfs/zfs_driver.ts")
      );
      return new ZfsDriver(directory, settings.dataset, {
        isKnown: settings.path === directory,
        remember: () => rememberPath(directory, settings),
      });
    }
    case "overlay": {
      const { OverlayDriver }: typeof import("./overlay/overlay_driver.ts") = await import(
        import.meta.resolve("./overlay/overlay_driver.ts")
      );
      return new OverlayDriver(directory);
    }
    case "directory": {
      const { DirectoryDriver }: typeof import("./directory/directory_driver.ts") = await import(
        import.meta.resolve("./directory/directory_driver.ts")
      );
      return new DirectoryDriver(directory, settings.keepsLayers ?? false);
    }
  }
  throw new LayerfsError(
    "storage",
    `Cannot open the store "${directory}": its store.json does not name a driver that layerfs ` +
      "knows, with what that needs; repair it by hand",
  );
}
