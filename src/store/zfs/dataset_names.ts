/**
 * The names of datasets.
 *
 *     R                          the root dataset, which the user names
 *     R/layers/<hex>             a layer, with its one snapshot @layer
 *     R/containers/<id>          a container's root filesystem, a clone of a layer
 *     R/staging/<name>           a layer in the making; belongs to STORE/staging/<name>
 *     R/staging/deferred-<hex>   a layer on its way out, or what something foreign still uses of it
 *
 * Flat, because ZFS allows 50 names one below the other, and an image can have more layers.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { layerName } from "../layer_record.ts";

/**
 * Names of one path, and characters of the whole (ZFS_MAX_DATASET_NAME_LEN is 256 with a final NUL).
 * zfs-fuse 0.7 checks no nesting, OpenZFS does: zfs_max_dataset_nesting.
 */
const MAX_NESTING = 50;
const MAX_CHARACTERS = 255;

/** What a layer of sha512 adds to the name of the root dataset: no other name is longer. */
const LONGEST = "/layers/".length + 128 + "@layer".length;

/** Name of the snapshot that makes a dataset a layer. */
export const LAYER_SNAPSHOT = "layer";

/** Names of staging datasets that hold removed layers begin so. */
export const DEFERRED = "deferred-";

/**
 * Names below R/staging that layerfs gives: those of staging directories (staging.ts) and those of
 * {@linkcode DatasetNames.deferred}. All others are somebody else's.
 */
const STAGED = /^(?:deferred-)?[0-9a-f]{16}$/;

/** Whether layerfs could have given this name to a dataset below R/staging. */
export function isStagedName(name: string): boolean {
  return STAGED.test(name);
}

/** The datasets of one store. */
export class DatasetNames {
  /** R itself. */
  readonly root: string;
  readonly layers: string;
  readonly containers: string;
  readonly staging: string;

  /** @throws {LayerfsError} `usage` where `root` cannot be a dataset that holds layers */
  constructor(root: string) {
    const problem = problemOf(root);
    if (problem !== null) {
      const message = `Cannot use dataset "${root}": ${problem}; name one such as "tank/layerfs"`;
      throw new LayerfsError("usage", message, { dataset: root });
    }
    this.root = root;
    this.layers = `${root}/layers`;
    this.containers = `${root}/containers`;
    this.staging = `${root}/staging`;
  }

  /** Name of the pool. */
  get pool(): string {
    return this.root.split("/")[0] ?? this.root;
  }

  layer(chainId: Digest): string {
    return `${this.layers}/${layerName(chainId)}`;
  }

  /** The snapshot that containers and further layers are clones of. */
  snapshot(chainId: Digest): string {
    return `${this.layer(chainId)}@${LAYER_SNAPSHOT}`;
  }

  /** A container's id can have a "+", which no dataset can; a dataset a ":", which no id can. */
  container(id: string): string {
    return `${this.containers}/${id.replaceAll("+", ":")}`;
  }

  staged(name: string): string {
    return `${this.staging}/${name}`;
  }

  /** A new name for a layer that cannot be destroyed yet. */
  deferred(): string {
    return this.staged(DEFERRED + crypto.randomUUID().replaceAll("-", "").slice(0, 16));
  }
}

/** The id of the container whose dataset has this last name. */
export function containerId(name: string): string {
  return name.replaceAll(":", "+");
}

/** What is wrong with the name of a root dataset (zfsprops(7), zfs(8)); null if nothing is. */
function problemOf(root: string): string | null {
  const names = root.split("/");
  if (names.some((name) => name === "")) return "a name in it is empty";
  if (names.some((name) => !/^[A-Za-z0-9_.: -]+$/.test(name))) {
    return 'names have letters, digits, "_", "-", ":", "." and spaces only';
  }
  if (names.some((name) => name === "." || name === "..")) return '"." and ".." are no names';
  if (!/^[A-Za-z]/.test(root)) return "the name of a pool begins with a letter";
  if (names.length + 2 > MAX_NESTING) return `it is nested too deep (${MAX_NESTING} with layers)`;
  const most = MAX_CHARACTERS - LONGEST;
  return root.length <= most ? null : `it is longer than ${most} characters`;
}
