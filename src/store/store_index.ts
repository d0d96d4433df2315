/**
 * The index.json of a store, in which its tags are.
 *
 * It is replaced as a whole, by a rename under the lock `index.lock`: who reads it needs no lock,
 * and a kill leaves the old one or the new one. Other programs write there too (skopeo knows no such
 * lock, so not at the same time): entries and members that layerfs does not know stay as they are.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { removeIfThere, syncToDisk, writeDurably } from "../files.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import { type Descriptor, readDescriptor } from "../oci/descriptor.ts";
import { Fields, isObject } from "../oci/fields.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import { parseIndex } from "../oci/image_index.ts";
import { parseJson } from "../oci/strict_json.ts";
import { readReplaceable } from "../source/document.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import { storageError } from "../system_error.ts";
import { FileLock } from "./lock.ts";
import { type Modes, PRIVATE } from "./modes.ts";

const INDEX = "index.json";
const LAYOUT = "oci-layout";
/** image-layout.md, "oci-layout file". */
const LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}';
const EMPTY_INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };

/** A JSON object. */
type Json = { readonly [name: string]: unknown };

/** One entry of index.json. */
export interface IndexEntry {
  /** As it stands there. */
  readonly json: unknown;
  /** What it says; null where it cannot be read. */
  readonly descriptor: Descriptor | null;
  /** Why it cannot. */
  readonly problem: LayerfsError | null;
}

/** The tags of one store. */
export class StoreIndex {
  readonly #store: string;
  readonly #modes: Modes;
  readonly #wait: (signal?: AbortSignal) => Promise<FileLock>;

  /**
   * @param store absolute path of the store, or of another image layout; it exists
   * @param wait takes the lock that writers hold: index.lock where it is absent
   */
  constructor(
    store: string,
    { modes = PRIVATE, wait }: {
      readonly modes?: Modes;
      readonly wait?: (signal?: AbortSignal) => Promise<FileLock>;
    } = {},
  ) {
    this.#store = store;
    this.#modes = modes;
    this.#wait = wait ??
      ((signal) => FileLock.wait(`${store}/index.lock`, "exclusive", signal));
  }

  /** Makes oci-layout and an empty index.json where they are missing. */
  async initialize(signal?: AbortSignal): Promise<void> {
    const files = new LayoutDirectory(this.#store);
    const isMissing = (name: string) => files.locate(name) === null;
    if (!isMissing(LAYOUT) && !isMissing(INDEX)) return;
    using _lock = await this.#wait(signal);
    if (isMissing(INDEX)) this.#replace(INDEX, JSON.stringify(EMPTY_INDEX));
    // Last, as it is what makes a directory a layout.
    if (isMissing(LAYOUT)) this.#replace(LAYOUT, LAYOUT_TEXT);
  }

  /**
   * All entries, in order; none where there is no index.json yet.
   *
   * @throws {LayerfsError} `image-invalid` where index.json is no index, or no regular file
   */
  entries(): readonly IndexEntry[] {
    const json = this.#read();
    return json === null ? [] : entriesOf(json);
  }

  /**
   * Replaces the entries by what `change` makes of them.
   *
   * @throws {LayerfsError} as {@linkcode entries}, `storage-full`, `storage`, and what `change`
   * throws, which changes nothing
   */
  async update(
    change: (entries: readonly IndexEntry[]) => readonly unknown[],
    signal?: AbortSignal,
  ): Promise<void> {
    using _lock = await this.#wait(signal);
    const json = this.#read() ?? EMPTY_INDEX;
    const text = JSON.stringify({ ...json, manifests: change(entriesOf(json)) });
    if (new TextEncoder().encode(text).length > MAX_DOCUMENT_BYTES) {
      throw new LayerfsError(
        "unsupported",
        `Cannot write "${this.#store}/${INDEX}": it would have more than ${MAX_DOCUMENT_BYTES} ` +
          "bytes; remove images, or use another --store",
      );
    }
    this.#replace(INDEX, text);
  }

  #read(): Json | null {
    const files = new LayoutDirectory(this.#store);
    const bytes = readReplaceable(() => files.locate(INDEX), INDEX);
    if (bytes === null) return null;
    const json = parseJson(bytes, INDEX);
    if (!isObject(json) || !Array.isArray(json.manifests)) {
      throw new LayerfsError(
        "image-invalid",
        `Cannot read "${this.#store}/${INDEX}": it is no image index`,
      );
    }
    // The rest of its rules; a single bad entry must not hide the others.
    const rest = JSON.stringify({ ...json, manifests: [] });
    parseIndex(new TextEncoder().encode(rest));
    return json;
  }

  /** Called under the lock, so that one fixed name of the file in the making does. */
  #replace(name: string, text: string): void {
    const path = `${this.#store}/${name}`;
    const temporary = `${path}.new`;
    try {
      removeIfThere(temporary);
      writeDurably(temporary, text, this.#modes.file);
      Deno.renameSync(temporary, path);
      syncToDisk(this.#store);
    } catch (error) {
      removeIfThere(temporary);
      throw storageError(error, `Cannot write "${path}"`);
    }
  }
}

function entriesOf({ manifests }: Json): IndexEntry[] {
  return (manifests as readonly unknown[]).map((json, i) => {
    try {
      const descriptor = readDescriptor(new Fields(INDEX, `manifests[${i}]`, json));
      return { json, descriptor, problem: null };
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
      return { json, descriptor: null, problem: error };
    }
  });
}
