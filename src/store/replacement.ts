/**
 * A root filesystem that takes the place of a container's own, with its record and configuration.
 *
 *     <bundle>/.layerfs-<staging>/          marker, and bundle of the replacement
 *       rootfs/, overlay/, volumes/, config.json   of the replacement, as in any bundle
 *       pending.json                        its record, with "pending": "<staging>"
 *       layerfs.json                        its record
 *       replaced/                           what it has taken the place of
 *
 * The replacement is a root filesystem of its own, made and removed as that of any container, under an
 * id that no container can have. What decides is one rename: of `pending.json` over the bundle's
 * record. Before it, a sweep discards the replacement. After it, whoever comes next, this process or
 * a sweep, goes on until everything is in its place and the record no longer says "pending": by
 * renames, each of which can be the last. At every moment the container is the old one or the new one,
 * and its record says which.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull, namesIn, removeIfThere, syncToDisk, writeDurably } from "../files.ts";
import { isObject } from "../oci/fields.ts";
import { check, run } from "../process.ts";
import { errnoName, storageError } from "../system_error.ts";
import {
  type Claimed,
  markerIn,
  PENDING,
  type Place,
  readClaim,
  RECORD_FILE,
  ROOTFS,
} from "./claim.ts";
import type { ContainerRootfs } from "./driver.ts";
import type { FileLock } from "./lock.ts";
import { mountsBelow } from "./mounts.ts";
import { removeTree } from "./remove_tree.ts";
import { CLAIM_FILE, type Staging } from "./staging.ts";

/** The record that decides, and where what was replaced goes, in the replacement's bundle. */
const PENDING_FILE = "pending.json";
const REPLACED = "replaced";

/** Name of the directory of volumes in a bundle. */
const VOLUMES = "volumes";

/** A replacement that this process makes. Disposed of before it is decided on, it is discarded. */
export class Replacement implements AsyncDisposable {
  /** The root filesystem to be made; its bundle exists. */
  readonly rootfs: ContainerRootfs & { readonly claim: string };
  /** Absolute path of its bundle: what is in there becomes the container's. */
  readonly bundle: string;
  readonly #claimed: Claimed;
  readonly #place: Place;
  readonly #staging: Staging;
  #isOver = false;

  private constructor(claimed: Claimed, place: Place, staging: Staging) {
    this.#claimed = claimed;
    this.#place = place;
    this.#staging = staging;
    this.bundle = markerIn(bundleOf(claimed, place), staging.name);
    this.rootfs = { ...replacementOf(this.bundle, claimed, staging.name), claim: staging.name };
  }

  /**
   * Begins a replacement of a container's root filesystem.
   *
   * @param claimed its `top` is that of the replacement
   */
  static create(claimed: Claimed, place: Place, staging: Staging): Replacement {
    const replacement = new Replacement(claimed, place, staging);
    const file = `${staging.path}/${CLAIM_FILE}`;
    try {
      Deno.writeTextFileSync(file, JSON.stringify(claimed), { mode: 0o600 });
      Deno.mkdirSync(replacement.bundle, { mode: 0o700 });
      return replacement;
    } catch (error) {
      removeIfThere(file);
      throw storageError(error, `Cannot replace the root filesystem of "${claimed.id}"`);
    }
  }

  /**
   * Makes the container be the replacement. Both root filesystems are unmounted, and `names.lock` is
   * held: nobody may mount what is half in its place.
   *
   * @param record text of the container's record, by what is pending: the name of the staging
   * directory, or nothing
   * @returns warnings for people to read
   */
  async commit(record: (pending: string | undefined) => string): Promise<string[]> {
    const bundle = bundleOf(this.#claimed, this.#place);
    try {
      writeDurably(`${this.bundle}/${RECORD_FILE}`, record(undefined), 0o600);
      writeDurably(`${this.bundle}/${PENDING_FILE}`, record(this.#staging.name), 0o600);
      // The old one goes: what takes its place must be on disk.
      const places = [...new Set([this.bundle, dirname(this.bundle)])];
      const synced = await run("sync", ["--file-system", ...places]);
      check(synced, `Cannot write "${this.bundle}" to disk`, "storage");
      Deno.renameSync(`${this.bundle}/${PENDING_FILE}`, `${bundle}/${RECORD_FILE}`);
      this.#isOver = true; // whatever happens now, the claim stays, and the next sweep goes on
      syncToDisk(bundle);
      await finish(this.#claimed, this.#place, this.#staging.name);
    } catch (error) {
      throw storageError(error, `Cannot replace the root filesystem of "${this.#claimed.id}"`);
    }
    try {
      await end(this.#claimed, this.#place, this.#staging.path);
      return [];
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
      return [`What was replaced is left for the next command to remove: ${error.message}`];
    }
  }

  /** Discards the replacement, unless it was decided on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await end(this.#claimed, this.#place, this.#staging.path);
  }
}

/** What a sweep works with. */
export interface SweptPlace extends Place {
  /** Holds off those who mount root filesystems. */
  lockNames(): Promise<FileLock>;
}

/** Ends the replacement that a dead process has begun, if it did: one way or the other. */
export async function sweepReplacement(stagingPath: string, place: SweptPlace): Promise<void> {
  const claimed = readClaim(stagingPath);
  if (claimed?.kind !== "replace") return;
  const name = basename(stagingPath);
  using _lock = await place.lockNames();
  if (pendingOf(bundleOf(claimed, place)) === name) {
    const marker = markerIn(bundleOf(claimed, place), name);
    await place.driver.unmountRootfs(replacementOf(marker, claimed, name));
    await place.driver.unmountRootfs(containerOf(claimed, place));
    await finish(claimed, place, name);
  }
  await end(claimed, place, stagingPath);
}

/** Puts everything into its place. A call that was killed is made good for by the next one. */
async function finish(claimed: Claimed, place: Place, staging: string): Promise<void> {
  const bundle = bundleOf(claimed, place);
  const marker = markerIn(bundle, staging);
  const replacement = {
    ...replacementOf(marker, claimed, staging),
    staging,
    aside: `${marker}/${REPLACED}`,
  };
  await place.driver.replaceRootfs(containerOf(claimed, place), replacement);
  for (const volume of listOrNone(`${marker}/${VOLUMES}`)) {
    Deno.mkdirSync(`${bundle}/${VOLUMES}`, { recursive: true, mode: 0o700 });
    Deno.renameSync(`${marker}/${VOLUMES}/${volume}`, `${bundle}/${VOLUMES}/${volume}`);
  }
  if (lstatOrNull(`${marker}/config.json`) !== null) {
    Deno.renameSync(`${marker}/config.json`, `${bundle}/config.json`);
  }
  Deno.renameSync(`${marker}/${RECORD_FILE}`, `${bundle}/${RECORD_FILE}`);
  syncToDisk(bundle);
}

/** Removes what is left, the replacement or what it has taken the place of; and the claim last. */
async function end(claimed: Claimed, place: Place, stagingPath: string): Promise<void> {
  const staging = basename(stagingPath);
  const marker = markerIn(bundleOf(claimed, place), staging);
  await place.driver.removeRootfs(replacementOf(marker, claimed, staging), staging);
  const [mount] = await mountsBelow(marker);
  if (mount !== undefined) {
    throw new LayerfsError("busy", `Cannot remove "${marker}": "${mount}" is a mount point`);
  }
  await removeTree(marker);
  await place.driver.sweep(staging);
  Deno.removeSync(`${stagingPath}/${CLAIM_FILE}`);
}

function bundleOf({ id, elsewhere }: Claimed, { containers }: Place): string {
  return elsewhere ?? `${containers}/${id}`;
}

function containerOf(claimed: Claimed, place: Place): ContainerRootfs {
  const { id, top } = claimed;
  return { id, rootfs: `${bundleOf(claimed, place)}/${ROOTFS}`, top };
}

/** A container's id does not begin with "+": the replacement's is nobody's. */
function replacementOf(marker: string, { top }: Claimed, staging: string): ContainerRootfs {
  return { id: `+${staging}`, rootfs: `${marker}/${ROOTFS}`, top };
}

/** Name of the replacement that the record of a bundle says the container is; null for none. */
function pendingOf(bundle: string): string | null {
  const file = `${bundle}/${RECORD_FILE}`;
  try {
    const record: unknown = JSON.parse(Deno.readTextFileSync(file));
    const pending = isObject(record) ? record[PENDING] : undefined;
    return typeof pending === "string" ? pending : null;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return null; // removed meanwhile
    throw storageError(error, `Cannot read "${file}"`);
  }
}

function listOrNone(directory: string): string[] {
  return lstatOrNull(directory) === null ? [] : namesIn(directory);
}
