/**
 * Containers that are being made or removed.
 *
 * A container exists when its bundle has a record, `layerfs.json`. While it is being made or removed
 * the bundle has a marker instead, `.layerfs-<staging>`, and the staging directory says which bundle
 * that is. One rename turns the one into the other, and is what makes or unmakes the container. The
 * bundle stays in its place all the time, since a root filesystem is mounted in it. A sweep believes
 * a marker only: no path of a claim alone makes it remove anything.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { LayerfsError } from "../errors.ts";
import { exists, lstatOrNull, namesIn, removeDirectory } from "../files.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { ContainerRootfs, Driver } from "./driver.ts";
import { mountsBelow } from "./mounts.ts";
import { removeTree } from "./remove_tree.ts";
import { CLAIM_FILE, type Staging } from "./staging.ts";

/** Name of the record in a bundle. */
export const RECORD_FILE = "layerfs.json";

/** Member of a record that names the replacement which the container is, before it is in its place. */
export const PENDING = "pending";

/** Name of the root filesystem in a bundle. */
export const ROOTFS = "rootfs";

/** What the name of a marker begins with. */
const MARKER_PREFIX = ".layerfs-";

/** A container that is being made or removed, or whose root filesystem is (see replacement.ts). */
export interface Claimed {
  readonly kind: "create" | "remove" | "replace";
  readonly id: string;
  /** Absolute path of a bundle outside of the store; null for one in its usual place. */
  readonly elsewhere: string | null;
  /** ChainID of its top layer; null for a container that began empty. */
  readonly top: ContainerRootfs["top"];
}

/** Where claims are made, and by whom root filesystems are kept. */
export interface Place {
  /** Absolute path of the store's `containers`. */
  readonly containers: string;
  readonly driver: Driver;
}

/** A container that this process makes or removes. Disposed of unsettled, it is discarded. */
export class Claim implements AsyncDisposable {
  readonly #claimed: Claimed;
  readonly #place: Place;
  readonly #staging: Staging;
  #settled = false;

  private constructor(claimed: Claimed, place: Place, staging: Staging) {
    this.#claimed = claimed;
    this.#place = place;
    this.#staging = staging;
    Deno.writeTextFileSync(`${staging.path}/${CLAIM_FILE}`, JSON.stringify(claimed), {
      mode: 0o600,
    });
  }

  /**
   * Makes the bundle of a new container: a directory of mode 0700, in the place of an empty one.
   * Called by one process of a store at a time.
   *
   * @throws {LayerfsError} `conflict` where the name or the place is taken
   */
  static create(claimed: Claimed, place: Place, staging: Staging): Claim {
    const name = `${place.containers}/${claimed.id}`;
    const bundle = claimed.elsewhere ?? name;
    try {
      freeName(name, claimed.id);
      const claim = new Claim(claimed, place, staging);
      try {
        makeBundle(bundle, markerIn(bundle, staging.name));
        if (bundle !== name) Deno.symlinkSync(bundle, name);
      } catch (error) {
        claim.#settle();
        throw error;
      }
      return claim;
    } catch (error) {
      throw storageError(error, `Cannot make a bundle at "${bundle}"`);
    }
  }

  /** Takes the record of a container away, after which it is as good as gone. */
  static take(claimed: Claimed, place: Place, staging: Staging): Claim {
    const claim = new Claim(claimed, place, staging);
    try {
      const bundle = claimed.elsewhere ?? `${place.containers}/${claimed.id}`;
      Deno.renameSync(`${bundle}/${RECORD_FILE}`, markerIn(bundle, staging.name));
    } catch (error) {
      claim.#settle();
      throw error;
    }
    return claim;
  }

  /** Makes the container be, with `record` as its record. */
  commit(record: string): void {
    Deno.writeTextFileSync(markerIn(this.#bundle, this.#staging.name), record, { mode: 0o600 });
    this.giveBack();
  }

  /** Puts the record back that {@linkcode Claim.take} took away. */
  giveBack(): void {
    const marker = markerIn(this.#bundle, this.#staging.name);
    Deno.renameSync(marker, `${this.#bundle}/${RECORD_FILE}`);
    this.#settle();
  }

  /** Removes the container and all that is its own. */
  async discard(): Promise<void> {
    await discard(this.#claimed, this.#place, this.#staging.name);
    this.#settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#settled) await this.discard();
  }

  get #bundle(): string {
    return this.#claimed.elsewhere ?? `${this.#place.containers}/${this.#claimed.id}`;
  }

  #settle(): void {
    this.#settled = true;
    Deno.removeSync(`${this.#staging.path}/${CLAIM_FILE}`);
  }
}

/** The container that a staging directory claims; null where it claims none. */
export function readClaim(stagingPath: string): Claimed | null {
  try {
    return JSON.parse(Deno.readTextFileSync(`${stagingPath}/${CLAIM_FILE}`)) as Claimed;
  } catch (error) {
    // Killed while it wrote this: it had not begun.
    if (error instanceof SyntaxError || errnoName(error) === "ENOENT") return null;
    throw storageError(error, `Cannot read "${stagingPath}/${CLAIM_FILE}"`);
  }
}

/** Discards the container that a dead process has claimed, if it did. */
export async function sweepClaim(stagingPath: string, place: Place): Promise<void> {
  const claimed = readClaim(stagingPath);
  if (claimed === null || claimed.kind === "replace") return; // see replacement.ts
  await discard(claimed, place, basename(stagingPath));
  Deno.removeSync(`${stagingPath}/${CLAIM_FILE}`);
}

/**
 * Whether somebody, living or dead, makes or removes this bundle.
 *
 * @param staging absolute path of the store's staging directory
 */
export function isClaimed(bundle: string, staging: string): boolean {
  return claimsOn(bundle, staging).length > 0;
}

/**
 * The names of the staging directories of those, living or dead, who make or remove this bundle.
 *
 * @param staging absolute path of the store's staging directory: a marker that no claim stands
 * behind is none
 */
export function claimsOn(bundle: string, staging: string): string[] {
  if (!exists(bundle) || !Deno.statSync(bundle).isDirectory) return [];
  // The marker of a replacement is a bundle itself.
  return [basename(bundle), ...namesIn(bundle)]
    .filter((name) => name.startsWith(MARKER_PREFIX))
    .map((name) => name.slice(MARKER_PREFIX.length))
    .filter((name) => exists(`${staging}/${name}/${CLAIM_FILE}`));
}

/** Path of the marker that stands in a bundle for the claim of a staging directory. */
export function markerIn(bundle: string, staging: string): string {
  return `${bundle}/${MARKER_PREFIX}${staging}`;
}

/** Removes what stands for the name and leads nowhere; refuses what leads somewhere. */
function freeName(name: string, id: string): void {
  const stat = lstatOrNull(name);
  if (stat === null) return;
  // A link that leads nowhere: its bundle was removed by hand.
  if (stat.isSymlink && !exists(name)) return Deno.removeSync(name);
  if (stat.isDirectory && namesIn(name).length === 0) return removeDirectory(name);
  throw new LayerfsError(
    "conflict",
    `Cannot create container "${id}": one of that name is being made or removed; try again, or ` +
      "see layerfs fsck",
    { id },
  );
}

/** Makes a bundle, or nothing. */
function makeBundle(bundle: string, marker: string): void {
  if (lstatOrNull(bundle)?.isDirectory) removeDirectory(bundle);
  Deno.mkdirSync(bundle, { mode: 0o700 });
  try {
    Deno.openSync(marker, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    removeDirectory(bundle);
    throw error;
  }
}

/** The marker goes last, so that a sweep can go on where this was killed. */
async function discard(claimed: Claimed, place: Place, staging: string): Promise<void> {
  const { id, kind, top } = claimed;
  const name = `${place.containers}/${id}`;
  const bundle = claimed.elsewhere ?? name;
  const marker = markerIn(bundle, staging);
  const isOurs = lstatOrNull(marker) !== null;
  if (isOurs) {
    // What is new belongs to this claim; what is to be removed was made under another.
    const claim = kind === "create" ? staging : undefined;
    await place.driver.removeRootfs({ id, rootfs: `${bundle}/${ROOTFS}`, top }, claim);
    const [mount] = await mountsBelow(bundle);
    if (mount !== undefined) {
      throw new LayerfsError("busy", `Cannot remove "${bundle}": "${mount}" is a mount point`);
    }
    for (const entry of namesIn(bundle)) {
      if (`${bundle}/${entry}` !== marker) await removeTree(`${bundle}/${entry}`);
    }
    Deno.removeSync(marker);
  }
  if (isOurs || bundle === name) removeIfEmpty(bundle);
  if (bundle !== name && isLinkTo(name, bundle) && lstatOrNull(`${name}/${RECORD_FILE}`) === null) {
    Deno.removeSync(name);
  }
}

function removeIfEmpty(directory: string): void {
  try {
    removeDirectory(directory);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "ENOTDIR"].includes(errnoName(error))) throw error;
  }
}

function isLinkTo(name: string, target: string): boolean {
  return lstatOrNull(name)?.isSymlink === true && Deno.readLinkSync(name) === target;
}
