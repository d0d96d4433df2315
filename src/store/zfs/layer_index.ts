/**
 * What a listing says of layers, in files of the store: `layers/<hex>.json`.
 *
 * What there is says ZFS. But a listing of ten thousand snapshots takes zfs-fuse many seconds
 * (properties.ts), and these files less than one. A file is written before its dataset gets its
 * name and removed after that is gone; so a kill leaves a file without a layer at most, of which
 * nothing is ever made. fsck compares the two, and mends the files.
 *
 * @module
 */

import { namesIn, removeIfThere, writeDurably } from "../../files.ts";
import { errnoName, storageError } from "../../system_error.ts";
import { formatLayer, parseLayer, type RecordedLayer } from "../layer_files.ts";
import { layerName, type StoredLayer } from "../layer_record.ts";
import { mountsBelow } from "../mounts.ts";

/** Ending of a file's name. */
const ENDING = ".json";

/** The files of one store. */
export class LayerIndex {
  readonly #directory: string;

  /** @param directory absolute; made by {@linkcode LayerIndex.initialize} */
  constructor(directory: string) {
    this.#directory = directory;
  }

  initialize(): void {
    try {
      Deno.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, `Cannot make "${this.#directory}"`);
    }
  }

  /** Writes the file of a layer, in the place of an older one. */
  write(layer: RecordedLayer): void {
    const file = this.#file(layerName(layer.chainId));
    const temporary = `${file}.${crypto.randomUUID()}`;
    try {
      writeDurably(temporary, formatLayer(layer), 0o600);
      Deno.renameSync(temporary, file);
    } catch (error) {
      removeIfThere(temporary);
      throw storageError(error, `Cannot write "${file}"`);
    }
  }

  /** Removes the file of a layer. That it is not there is no error. */
  remove(name: string): void {
    try {
      removeIfThere(this.#file(name));
    } catch (error) {
      throw storageError(error, `Cannot remove "${this.#file(name)}"`);
    }
  }

  /** All layers by name. A damaged file is as good as none: fsck finds it missing. */
  list(): Map<string, RecordedLayer> {
    const layers = new Map<string, RecordedLayer>();
    for (const entry of this.#entries()) {
      if (!entry.endsWith(ENDING)) continue;
      const name = entry.slice(0, -ENDING.length);
      const layer = parseLayer(this.#read(entry));
      if (layer !== null && layerName(layer.chainId) === name) layers.set(name, layer);
    }
    return layers;
  }

  /** All layers, and whether each is mounted at its name in the directory `views`. */
  async stored(views: string): Promise<StoredLayer[]> {
    const mounts = new Set(await mountsBelow(views));
    return [...this.list()].map(([name, layer]) => {
      return { ...layer, mounted: mounts.has(`${views}/${name}`) };
    });
  }

  #entries(): string[] {
    try {
      return namesIn(this.#directory);
    } catch (error) {
      if (errnoName(error) === "ENOENT") return [];
      throw storageError(error, `Cannot list "${this.#directory}"`);
    }
  }

  #read(entry: string): string {
    try {
      return Deno.readTextFileSync(`${this.#directory}/${entry}`);
    } catch (error) {
      if (errnoName(error) === "ENOENT") return ""; // removed meanwhile
      throw storageError(error, `Cannot read "${this.#directory}/${entry}"`);
    }
  }

  #file(name: string): string {
    return `${this.#directory}/${name}${ENDING}`;
  }
}
