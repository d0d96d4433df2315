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

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../layer/root_path.ts";
import { errnoName, storageError } from "../system_error.ts";
import type { ContainerRootfs, Driver } from "./driver.ts";
import { mountsBelow } from "./mounts.ts";
import { removeTree } from "./remove_tree.ts";
import type { Staging } from "./staging.ts";

/** Name of the record in a bundle. */
export const RECORD_FILE = "layerfs.json";

/** Name of the root filesystem in a bundle. */
export const ROOTFS = "rootfs";

/** What the name of a marker begins with. */
const MARKER_PREFIX = ".layerfs-";

/** Name of the claim in a staging directory. */
const CLAIM_FILE = "claim.json";

/** A container that is claimed. */
export interface Claimed {
  readonly id: string;
  /** Absolute path of the bundle, without symlinks where the bundle exists. */
  readonly bundle: string;
  /** `containers/<id>` in the store: the bundle itself, or a symlink to it. */
  readonly name: string;
  /** ChainID of its top layer; null for a container that began empty. */
  readonly top: ContainerRootfs["top"];
}

/** A container that this process makes or removes. Disposed of unsettled, it is discarded. */
export class Claim implements AsyncDisposable {
  readonly #claimed: Claimed;
  readonly #driver: Driver;
  readonly #staging: string;
  readonly #marker: string;
  #settled = false;

  private constructor(claimed: Claimed, driver: Driver, staging: Staging) {
    this.#claimed = claimed;
    this.#driver = driver;
    this.#staging = staging.path;
    this.#marker = markerIn(claimed.bundle, staging.name);
    fs.writeFileSync(`${staging.path}/${CLAIM_FILE}`, JSON.stringify(claimed), { mode: 0o600 });
  }

  /**
   * Makes the bundle of a new container: a directory of mode 0700, in the place of an empty one.
   * Called by one process of a store at a time.
   */
  static create(claimed: Claimed, driver: Driver, staging: Staging): Claim {
    const claim = new Claim(claimed, driver, staging);
    const { bundle, name } = claimed;
    try {
      // A link that leads nowhere: its bundle was removed by hand, or never came.
      if (lstatOrNull(name)?.isSymbolicLink()) fs.unlinkSync(name);
      if (lstatOrNull(bundle)?.isDirectory()) fs.rmdirSync(bundle);
      fs.mkdirSync(bundle, 0o700);
      fs.closeSync(fs.openSync(claim.#marker, "wx", 0o600));
      if (bundle !== name) fs.symlinkSync(bundle, name);
      return claim;
    } catch (error) {
      throw storageError(error, `Cannot make a bundle at "${bundle}"`);
    }
  }

  /** Takes the record of a container away, after which it is as good as gone. */
  static take(claimed: Claimed, driver: Driver, staging: Staging): Claim {
    const claim = new Claim(claimed, driver, staging);
    fs.renameSync(`${claimed.bundle}/${RECORD_FILE}`, claim.#marker);
    return claim;
  }

  /** Makes the container be, with `record` as its record. */
  commit(record: string): void {
    fs.writeFileSync(this.#marker, record, { mode: 0o600 });
    this.giveBack();
  }

  /** Puts the record back that {@linkcode Claim.take} took away. */
  giveBack(): void {
    fs.renameSync(this.#marker, `${this.#claimed.bundle}/${RECORD_FILE}`);
    this.#settled = true;
    fs.unlinkSync(`${this.#staging}/${CLAIM_FILE}`);
  }

  /** Removes the container and all that is its own. */
  async discard(): Promise<void> {
    await discard(this.#claimed, this.#driver, this.#marker);
    this.#settled = true;
    fs.unlinkSync(`${this.#staging}/${CLAIM_FILE}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#settled) await this.discard();
  }
}

/**
 * Discards the container that a dead process has claimed, if it did.
 *
 * @param path of its staging directory
 * @param containers path of the store's containers
 */
export async function sweepClaim(
  driver: Driver,
  path: string,
  containers: string,
): Promise<void> {
  let text: string;
  try {
    text = fs.readFileSync(`${path}/${CLAIM_FILE}`, "utf8");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return;
    throw storageError(error, `Cannot sweep "${path}"`);
  }
  const claimed = parseClaim(text);
  // Killed while it wrote this: it had not begun.
  if (claimed === null || claimed.name !== `${containers}/${claimed.id}`) return;
  await discard(claimed, driver, markerIn(claimed.bundle, path.slice(path.lastIndexOf("/") + 1)));
}

/** Whether somebody, living or dead, makes or removes this bundle. */
export function isClaimed(bundle: string): boolean {
  return fs.existsSync(bundle) &&
    fs.readdirSync(bundle).some((name) => name.startsWith(MARKER_PREFIX));
}

function parseClaim(text: string): Claimed | null {
  try {
    return JSON.parse(text) as Claimed;
  } catch {
    return null;
  }
}

function markerIn(bundle: string, staging: string): string {
  return `${bundle}/${MARKER_PREFIX}${staging}`;
}

/** The marker goes last, so that a sweep can go on where this was killed. */
async function discard(
  { id, bundle, name, top }: Claimed,
  driver: Driver,
  marker: string,
): Promise<void> {
  const isOurs = lstatOrNull(marker) !== null;
  if (isOurs) {
    await driver.removeRootfs({ id, rootfs: `${bundle}/${ROOTFS}`, top });
    const [mount] = await mountsBelow(bundle);
    if (mount !== undefined) {
      throw new LayerfsError("busy", `Cannot remove "${bundle}": "${mount}" is a mount point`);
    }
    for (const entry of fs.readdirSync(bundle)) {
      if (`${bundle}/${entry}` !== marker) await removeTree(`${bundle}/${entry}`);
    }
    fs.unlinkSync(marker);
  }
  if (isOurs || bundle === name) removeIfEmpty(bundle);
  if (bundle !== name && isLinkTo(name, bundle) && lstatOrNull(`${name}/${RECORD_FILE}`) === null) {
    fs.unlinkSync(name);
  }
}

function removeIfEmpty(directory: string): void {
  try {
    fs.rmdirSync(directory);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "ENOTDIR"].includes(errnoName(error))) throw error;
  }
}

function isLinkTo(name: string, target: string): boolean {
  return lstatOrNull(name)?.isSymbolicLink() === true && fs.readlinkSync(name) === target;
}
