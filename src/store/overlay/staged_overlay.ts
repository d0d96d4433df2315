/**
 * A layer in the making, applied through an overlay mount: the kernel itself writes what the layer
 * changes, in its own format.
 *
 *     staging/<name>/layer/diff/  the layer's own files: the upper directory
 *     staging/<name>/work/        what overlayfs needs beside it
 *     staging/<name>/merged/      the tree of all layers, where the layer is applied
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { LayerfsError } from "../../errors.ts";
import { storageError } from "../../system_error.ts";
import { diskUsage } from "../disk_usage.ts";
import type { StagedLayer } from "../driver.ts";
import type { LayerDirectory } from "../layer_files.ts";
import type { LayerRecord } from "../layer_record.ts";
import { removeTree } from "../remove_tree.ts";
import { mountOverlay } from "./mount_overlay.ts";
import { storeSource } from "./mount_source.ts";
import { copyRootAttributes } from "./root_attributes.ts";
import { unmount } from "./unmount.ts";

/** Name of the directory with a layer's own files. */
export const DIFF = "diff";

/** Mode of a tree's root until something says otherwise. */
export const ROOT_MODE = 0o755;

export class StagedOverlay implements StagedLayer {
  readonly root: string;
  readonly #staging: string;
  readonly #layers: LayerDirectory;
  readonly #action: string;

  private constructor(staging: string, isBase: boolean, layers: LayerDirectory, action: string) {
    this.#staging = staging;
    this.#layers = layers;
    this.#action = action;
    this.root = isBase ? this.#diff : this.#merged;
  }

  /**
   * Begins one.
   *
   * @param staging absolute path of the staging directory, `STORE/staging/<name>`
   * @param lowers `diff` of the layers below, the top first; a base layer has none, and needs no mount
   * @param action begins the message of an error
   */
  static async create(
    staging: string,
    lowers: readonly string[],
    layers: LayerDirectory,
    action: string,
  ): Promise<StagedOverlay> {
    const staged = new StagedOverlay(staging, lowers.length === 0, layers, action);
    staged.#begin();
    try {
      await staged.#make(lowers);
      return staged;
    } catch (error) {
      await staged[Symbol.asyncDispose]();
      throw error;
    }
  }

  async commit(record: LayerRecord): Promise<void> {
    await unmount(this.#merged, this.#action);
    await removeTree(this.#work);
    await this.#layers.commit(this.#layer, record, async () => {
      const bytes = (await diskUsage([this.#diff])).get(this.#diff);
      if (bytes !== undefined) return bytes;
      throw new LayerfsError("storage", `${this.#action}: du cannot measure "${this.#diff}"`);
    });
  }

  /** After a commit, there is nothing left to discard. */
  async [Symbol.asyncDispose](): Promise<void> {
    await unmount(this.#merged, this.#action);
    for (const place of [this.#merged, this.#work, this.#layer]) await removeTree(place);
  }

  /** What is there already is somebody else's, and nothing to clean up. */
  #begin(): void {
    try {
      fs.mkdirSync(this.#layer, 0o700);
    } catch (error) {
      throw storageError(error, this.#action);
    }
  }

  async #make(lowers: readonly string[]): Promise<void> {
    try {
      fs.mkdirSync(this.#diff);
      fs.chmodSync(this.#diff, ROOT_MODE); // whatever the umask
      if (lowers.length === 0) return;
      fs.mkdirSync(this.#work, 0o700);
      fs.mkdirSync(this.#merged, 0o700);
    } catch (error) {
      throw storageError(error, this.#action);
    }
    await copyRootAttributes(lowers[0]!, this.#diff, this.#action);
    await mountOverlay({
      source: storeSource(path.resolve(this.#staging, "../..")),
      target: this.#merged,
      lowers,
      upper: { upper: this.#diff, work: this.#work },
      links: `${this.#staging}/links`,
    });
  }

  get #layer(): string {
    return `${this.#staging}/layer`;
  }

  get #diff(): string {
    return `${this.#layer}/${DIFF}`;
  }

  get #work(): string {
    return `${this.#staging}/work`;
  }

  get #merged(): string {
    return `${this.#staging}/merged`;
  }
}
