/**
 * Read-only views of the trees of layers: overlays without an upper directory.
 *
 *     views/<hex>/   where a layer is mounted for somebody to read
 *     views/.empty/  what a base layer is mounted on top of: an overlay takes two directories
 *
 * @module
 */

import { lstatOrNull, removeDirectory } from "../../files.ts";
import type { Digest } from "../../oci/digest.ts";
import { errnoName, storageError } from "../../system_error.ts";
import { layerName } from "../layer_record.ts";
import { Staging } from "../staging.ts";
import { isMountPoint } from "../mount_point.ts";
import { mountOverlay, overlaysBelow } from "./mount_overlay.ts";
import { storeSource } from "./mount_source.ts";
import { unmount } from "./unmount.ts";

/** The views of one store. */
export class LayerViews {
  readonly #store: string;
  readonly #path: string;
  readonly #staging: string;

  /** @param store absolute path */
  constructor(store: string) {
    this.#store = store;
    this.#path = `${store}/views`;
    this.#staging = `${store}/staging`;
  }

  /** Names of the layers that have one, whatever their number in one call. */
  async mounted(): Promise<ReadonlySet<string>> {
    if (lstatOrNull(this.#path) === null) return new Set();
    const names = await overlaysBelow(this.#path);
    return new Set(names);
  }

  /**
   * Mounts a layer, unless it is mounted.
   *
   * @param lowers `diff` of the layer and those below it, the top first
   * @returns where
   */
  async mount(chainId: Digest, lowers: () => readonly string[]): Promise<string> {
    const action = `Cannot mount layer ${chainId}`;
    const target = this.#view(chainId);
    if (isMountPoint(target)) return target;
    const diffs = lowers();
    const empty = `${this.#path}/.empty`;
    try {
      for (const place of [empty, target]) Deno.mkdirSync(place, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, action);
    }
    await using staging = Staging.create(this.#staging);
    await mountOverlay({
      source: storeSource(this.#store),
      target,
      lowers: diffs.length > 1 ? diffs : [...diffs, empty],
      upper: null,
      links: `${staging.path}/links`,
    });
    return target;
  }

  /** Ends what {@linkcode LayerViews.mount} did. */
  async unmount(chainId: Digest): Promise<void> {
    const action = `Cannot unmount layer ${chainId}`;
    const view = this.#view(chainId);
    await unmount(view, action);
    try {
      removeDirectory(view); // no more than an empty directory, whatever is there
    } catch (error) {
      if (errnoName(error) !== "ENOENT") throw storageError(error, action);
    }
  }

  #view(chainId: Digest): string {
    return `${this.#path}/${layerName(chainId)}`;
  }
}
