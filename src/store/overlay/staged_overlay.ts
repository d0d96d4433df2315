/**
 * A layer in the making, applied through an overlay mount: the kernel itself writes what the layer
 * changes, in its own format.
 *
 *     staging/<name>/layer/diff   the layer's own files: the upper directory
 *     staging/<name>/work         what overlayfs needs beside it
 *     staging/<name>/merged       the tree of all layers, where the layer is applied
 *
 * What a layer consists of may have been unpacked before, apart from the layers below it: then that is
 * the upper directory, and only the rest is done through the mount.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
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

/** What a layer is made of. */
export interface OverlayParts {
  /** `diff` of the layers below, the top first; a base layer has none, and needs no mount. */
  readonly lowers: readonly string[];
  /** A directory with the layer's own files, which is taken away; null where they are still to come. */
  readonly own: string | null;
}

export class StagedOverlay implements StagedLayer {
  readonly root: string;
  readonly own: string;
  readonly #staging: string;
  readonly #layers: LayerDirectory;
  readonly #action: string;

  private constructor(staging: string, isBase: boolean, layers: LayerDirectory, action: string) {
    this.#staging = staging;
    this.#layers = layers;
    this.#action = action;
    this.own = `${staging}/layer/${DIFF}`;
    this.root = isBase ? this.own : this.#merged;
  }

  /**
   * Begins one.
   *
   * @param staging absolute path of the staging directory, `STORE/staging/<name>`
   * @param action begins the message of an error
   */
  static async create(
    staging: string,
    parts: OverlayParts,
    layers: LayerDirectory,
    action: string,
  ): Promise<StagedOverlay> {
    const staged = new StagedOverlay(staging, parts.lowers.length === 0, layers, action);
    staged.#begin();
    try {
      await staged.#make(parts);
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
      const bytes = (await diskUsage([this.own])).get(this.own);
      if (bytes !== undefined) return bytes;
      throw new LayerfsError("storage", `${this.#action}: du cannot measure "${this.own}"`);
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
      Deno.mkdirSync(this.#layer, { mode: 0o700 });
    } catch (error) {
      throw storageError(error, this.#action);
    }
  }

  async #make({ lowers, own }: OverlayParts): Promise<void> {
    try {
      if (own === null) Deno.mkdirSync(this.own);
      else Deno.renameSync(own, this.own);
      Deno.chmodSync(this.own, ROOT_MODE); // whatever the umask
      if (lowers.length === 0) return;
      Deno.mkdirSync(this.#work, { mode: 0o700 });
      Deno.mkdirSync(this.#merged, { mode: 0o700 });
    } catch (error) {
      throw storageError(error, this.#action);
    }
    await copyRootAttributes(lowers[0]!, this.own, this.#action);
    await mountOverlay({
      source: storeSource(resolve(this.#staging, "../..")),
      target: this.#merged,
      lowers,
      upper: { upper: this.own, work: this.#work },
      links: `${this.#staging}/links`,
    });
  }

  get #layer(): string {
    return `${this.#staging}/layer`;
  }

  get #work(): string {
    return `${this.#staging}/work`;
  }

  get #merged(): string {
    return `${this.#staging}/merged`;
  }
}
