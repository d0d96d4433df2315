/**
 * Layers that are directories, and the file in each that says what it is.
 *
 *     layers/<hex>/layer.json  its record, written last
 *     layers/<hex>/<content>   its files; what they are called, and hold, is the driver's affair
 *     layers/removed-<hex>-…   a layer on its way out
 *     layers/replaced-<hex>-…  a damaged layer whose place another one took: containers that are
 *                              mounted may use its files
 *
 * A layer exists when its `layer.json` can be read and agrees with its name. Whatever else is in the
 * place of a layer is damage: nobody finds it, and a new layer takes its place.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../errors.ts";
import { exists, lstatOrNull, namesIn, syncToDisk, writeDurably } from "../files.ts";
import type { Traits } from "../layer/traits.ts";
import { type Digest, digestProblem } from "../oci/digest.ts";
import { check, run } from "../process.ts";
import { errnoName, storageError } from "../system_error.ts";
import { layerName, type LayerRecord } from "./layer_record.ts";
import { LayersOnTop } from "./layers_on_top.ts";
import { removeTree } from "./remove_tree.ts";

/** Name of the record in a layer's directory. */
const LAYER_FILE = "layer.json";

/** What the name of a layer on its way out begins with. */
const REMOVED = "removed-";

/** What the name of a damaged layer begins with that another one has replaced. */
const REPLACED = "replaced-";

/** Form of {@linkcode LAYER_FILE}. */
const VERSION = 1;

/** A layer, as its `layer.json` has it. */
export interface RecordedLayer extends LayerRecord {
  /** Bytes on disk that it adds to the layers below it. */
  readonly bytes: number;
}

/** All that is in the place of layers. */
export interface LayerFiles {
  readonly layers: readonly RecordedLayer[];
  /** Names that are no layers, and why. */
  readonly broken: readonly { readonly name: string; readonly reason: string }[];
}

/** The layers of one store. */
export class LayerDirectory {
  /** Absolute path; the layers' names are in it. */
  readonly path: string;
  readonly #content: string;
  /** Once somebody removes a layer. */
  #onTop: LayersOnTop | null = null;

  /** @param content name of the directory, within that of a layer, that a whole layer has */
  constructor(directory: string, content: string) {
    this.path = directory;
    this.#content = content;
  }

  /** The directory of a layer. */
  layer(chainId: Digest): string {
    return `${this.path}/${layerName(chainId)}`;
  }

  /** The directory of a layer's files. */
  content(chainId: Digest): string {
    return `${this.layer(chainId)}/${this.#content}`;
  }

  /** The layer, or null where there is none, or none that is whole. */
  find(chainId: Digest): RecordedLayer | null {
    const found = this.#read(layerName(chainId));
    return typeof found === "string" || found.chainId !== chainId ? null : found;
  }

  /** Everything that is there; nothing where the directory itself is not. */
  list(): LayerFiles {
    const layers: RecordedLayer[] = [];
    const broken: { name: string; reason: string }[] = [];
    for (const name of this.#names()) {
      const found = this.#read(name);
      if (typeof found === "string") broken.push({ name, reason: found });
      else layers.push(found);
    }
    return { layers, broken };
  }

  /**
   * Makes a layer of `directory`, which is on the same filesystem and holds its content: durable
   * first, then named by one rename. Files of a damaged layer in its place are kept for those who use
   * them, until a sweep.
   *
   * @param measure bytes of the content; called when all of it is on disk
   * @throws {LayerfsError} `conflict` where the layer is there, which stays as it is; `storage-full`,
   * `storage`
   */
  async commit(
    directory: string,
    record: LayerRecord,
    measure: () => Promise<number>,
  ): Promise<void> {
    const action = `Cannot commit layer ${record.chainId}`;
    // Not every filesystem keeps the content of a file before the rename of its directory: layers of
    // empty files have been found after a power failure (containerd#8895).
    check(await run("sync", ["--file-system", directory]), action, "storage");
    const bytes = await measure();
    try {
      writeDurably(`${directory}/${LAYER_FILE}`, formatLayer({ ...record, bytes }), 0o600);
      syncToDisk(directory);
      // Somebody may have removed it, as it can be made anew.
      if (!exists(this.path)) {
        Deno.mkdirSync(this.path, { recursive: true, mode: 0o700 });
        syncToDisk(dirname(this.path));
      }
      const place = this.layer(record.chainId);
      if (this.find(record.chainId) !== null) {
        throw new LayerfsError("conflict", `${action}: it is there already`, {
          chainId: record.chainId,
        });
      }
      if (this.#hasContent(record.chainId)) this.#rename(record.chainId, REPLACED);
      else await this.remove(record.chainId); // a rest of one, if anything
      Deno.renameSync(directory, place);
      this.#onTop?.add(record);
      syncToDisk(this.path);
    } catch (error) {
      throw storageError(error, action);
    }
  }

  /**
   * Makes sure that no layer is on top of this one. The records are read once, however many layers
   * are removed: whoever removes some holds the store's lock, so that nobody else makes any.
   *
   * @throws {LayerfsError} `conflict`
   */
  checkNothingOnTop(chainId: Digest): void {
    if (lstatOrNull(this.layer(chainId)) === null) return;
    this.#onTop ??= new LayersOnTop(this.list().layers);
    const other = this.#onTop.one(chainId);
    if (other === null) return;
    const state = `layer ${other} depends on it`;
    throw new LayerfsError("conflict", `Cannot remove layer ${chainId}: ${state}`, {
      chainId,
      dependent: other,
    });
  }

  /** Removes a layer: it loses its name first, so that a kill leaves litter, and no layer. */
  async remove(chainId: Digest): Promise<void> {
    if (lstatOrNull(this.layer(chainId)) === null) return;
    const name = this.#rename(chainId, REMOVED);
    this.#onTop?.delete(chainId);
    await this.sweep(name);
  }

  /** Names of what removals have left that were killed, and of layers that were replaced. */
  removed(): string[] {
    return this.#entries().filter(isRest);
  }

  /** Whether `name` is that of a damaged layer that was replaced, whose files may be in use. */
  isReplaced(name: string): boolean {
    return name.startsWith(REPLACED);
  }

  /** Removes the rest of a removed or replaced layer, if `name` is that of one. */
  async sweep(name: string): Promise<void> {
    if (isRest(name)) await removeTree(`${this.path}/${name}`);
  }

  /**
   * Makes sure that nothing is lost with a layer that is not whole.
   *
   * @throws {LayerfsError} `storage` where its files are there: what its record said is in no other
   * place, and containers may use them
   */
  checkWorthless(chainId: Digest): void {
    if (!this.#hasContent(chainId)) return;
    throw new LayerfsError(
      "storage",
      `Cannot repair layer ${chainId}: its record is damaged; create a container of its image ` +
        "again, which makes it anew",
      { chainId },
    );
  }

  #hasContent(chainId: Digest): boolean {
    return lstatOrNull(this.content(chainId))?.isDirectory ?? false;
  }

  /** Takes a layer's name from it; returns the new one. */
  #rename(chainId: Digest, prefix: string): string {
    const name = `${prefix}${layerName(chainId)}-${crypto.randomUUID().slice(0, 8)}`;
    try {
      Deno.renameSync(this.layer(chainId), `${this.path}/${name}`);
    } catch (error) {
      throw storageError(error, `Cannot remove layer ${chainId}`);
    }
    return name;
  }

  /** Everything that is in the place of a layer. */
  #names(): string[] {
    return this.#entries().filter((name) => !isRest(name));
  }

  #entries(): string[] {
    try {
      return namesIn(this.path).sort();
    } catch (error) {
      if (errnoName(error) === "ENOENT") return [];
      throw storageError(error, `Cannot list the layers in "${this.path}"`);
    }
  }

  /** The layer of this name, or what is wrong with it. */
  #read(name: string): RecordedLayer | string {
    const file = `${this.path}/${name}/${LAYER_FILE}`;
    let text: string;
    try {
      text = Deno.readTextFileSync(file);
    } catch (error) {
      const missing = ["ENOENT", "ENOTDIR"].includes(errnoName(error));
      if (missing) return `it has no ${LAYER_FILE}`;
      throw storageError(error, `Cannot read "${file}"`);
    }
    const layer = parseLayer(text);
    if (layer === null) return `its ${LAYER_FILE} is damaged`;
    if (layerName(layer.chainId) !== name) return `its ${LAYER_FILE} is that of ${layer.chainId}`;
    if (lstatOrNull(`${this.path}/${name}/${this.#content}`)?.isDirectory) return layer;
    return `it has no directory "${this.#content}"`;
  }
}

/** Whether a name in the place of layers is that of no layer any more. */
function isRest(name: string): boolean {
  return name.startsWith(REMOVED) || name.startsWith(REPLACED);
}

/** The text that {@linkcode parseLayer} reads. */
export function formatLayer(layer: RecordedLayer): string {
  return JSON.stringify({ version: VERSION, ...layer }) + "\n";
}

/** The layer that `text` describes, or null where it is damaged, or of another version. */
export function parseLayer(text: string): RecordedLayer | null {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || value.version !== VERSION) return null;
  const { chainId, diffId, parent, bytes } = value;
  const traits = parseTraits(value.traits);
  if (!isDigest(chainId) || !isDigest(diffId) || traits === null) return null;
  if ((parent !== null && !isDigest(parent)) || typeof bytes !== "number") return null;
  return { chainId, diffId, parent, traits, bytes };
}

function isDigest(value: unknown): value is Digest {
  return digestProblem(value) === null;
}

function parseTraits(value: unknown): Traits | null {
  if (typeof value !== "object" || value === null) return null;
  const { rawNames, fineTimes, directoryXattrs } = value as Record<string, unknown>;
  if (typeof rawNames !== "boolean" || typeof fineTimes !== "boolean") return null;
  return typeof directoryXattrs === "boolean" ? { rawNames, fineTimes, directoryXattrs } : null;
}
