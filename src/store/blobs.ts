/**
 * The blobs of a store: `blobs/<algorithm>/<hex>`, as in every image layout.
 *
 * A blob has its name only when it is whole, verified and on disk. It is written in a staging
 * directory first, so that a kill leaves litter there and nothing else. Two processes that add one
 * blob at a time both write it; the second rename puts equal bytes in the place of equal bytes.
 *
 * @module
 */

import { type BlobContent, checkAborted, readContent } from "../blob/content.ts";
import type { BlobLocation } from "../blob/location.ts";
import { withOrigin } from "../blob/origin.ts";
import { createHasher, type DigestEngine, formatDigest } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull, namesIn, removeIfThere, syncToDisk, writeAll } from "../files.ts";
import { type Digest, digestAlgorithm, digestHex, digestProblem } from "../oci/digest.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import { blobName } from "../source/layout_files.ts";
import { errnoName, storageError } from "../system_error.ts";
import { type Modes, PRIVATE } from "./modes.ts";

const ALGORITHMS = ["sha256", "sha512"] as const;

/** A blob of a store. */
export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes that it has. */
  readonly bytes: number;
}

/** How a blob is added. */
export interface AddOptions {
  /** Absolute path of a directory of the store's filesystem, for the file in the making. */
  readonly staging: string;
  /** Who computes the digest. */
  readonly engine: DigestEngine;
  /** Ends the copy, which then leaves nothing. */
  readonly signal?: AbortSignal;
  /** Takes the number of bytes after each piece; must not throw. */
  readonly onBytes?: (delta: number) => void;
}

/** What {@linkcode BlobStore.add} did: `reused` where the store had the blob already. */
export type Added = "copied" | "reused";

/** The blobs of one store. */
export class BlobStore {
  readonly #store: string;
  readonly #modes: Modes;

  /** @param store absolute path of the store, or of another image layout; it exists */
  constructor(store: string, modes: Modes = PRIVATE) {
    this.#store = store;
    this.#modes = modes;
  }

  /** Makes the directories where they are missing. */
  initialize(): void {
    for (const algorithm of ALGORITHMS) this.#makeDirectory(algorithm);
  }

  /**
   * Where a blob is; null where the store does not have it.
   *
   * @throws {LayerfsError} `unsupported` for an algorithm that layerfs does not compute,
   * `image-invalid` where something else than a file has its name
   */
  locate(digest: Digest): BlobLocation | null {
    return new LayoutDirectory(this.#store).locate(blobName(digest));
  }

  /** Whether there is a blob of this digest and size. */
  has(digest: Digest, size: number): boolean {
    return this.locate(digest)?.length === size;
  }

  /**
   * Adds a blob, unless the store has it: one of the right size is taken for the right one, as it
   * was verified when it came.
   *
   * @param source its bytes, or where they are; their number is its size
   * @param digest what they must have
   * @throws {LayerfsError} `digest-mismatch`, `size-mismatch` where the source is cut short,
   * `interrupted`, `storage-full`, `storage`
   */
  async add(
    source: BlobContent | Uint8Array,
    digest: Digest,
    options: AddOptions,
  ): Promise<Added> {
    const algorithm = digestAlgorithm(digest);
    if (this.has(digest, source.length)) {
      options.onBytes?.(source.length);
      return "reused";
    }
    const path = `${options.staging}/${algorithm}-${digestHex(digest)}`;
    try {
      await copyVerified(source, digest, path, { ...options, mode: this.#modes.file });
      this.#publish(path, digest);
      return "copied";
    } catch (error) {
      removeIfThere(path);
      throw storageError(error, `Cannot store blob ${digest}`);
    }
  }

  /**
   * Gives a file that is written, and whose digest is known, its name as a blob. The file is gone
   * afterwards.
   *
   * @param path on the store's filesystem
   */
  adopt(path: string, { digest, bytes }: StoredBlob): Added {
    if (this.has(digest, bytes)) {
      Deno.removeSync(path);
      return "reused";
    }
    try {
      syncToDisk(path);
      this.#publish(path, digest);
      return "copied";
    } catch (error) {
      throw storageError(error, `Cannot store blob ${digest}`);
    }
  }

  /** All blobs by digest. What else is in the directories, foreign algorithms say, is passed over. */
  list(): StoredBlob[] {
    const blobs: StoredBlob[] = [];
    for (const algorithm of ALGORITHMS) {
      for (const name of this.#names(algorithm)) {
        const digest = `${algorithm}:${name}`;
        if (digestProblem(digest) !== null) continue;
        const stat = lstatOrNull(`${this.#store}/blobs/${algorithm}/${name}`);
        if (stat?.isFile) blobs.push({ digest: digest as Digest, bytes: stat.size });
      }
    }
    return blobs.sort((a, b) => a.digest < b.digest ? -1 : 1);
  }

  /**
   * Removes a blob. That it is not there is no error.
   *
   * @returns the bytes that it had
   */
  remove(digest: Digest): number {
    const location = this.locate(digest);
    if (location === null) return 0;
    try {
      removeIfThere(location.path);
      return location.length;
    } catch (error) {
      throw storageError(error, `Cannot remove blob ${digest}`);
    }
  }

  /** Puts a file that is on disk in its place, and makes that last. */
  #publish(path: string, digest: Digest): void {
    const directory = this.#makeDirectory(digestAlgorithm(digest));
    Deno.renameSync(path, `${directory}/${digestHex(digest)}`);
    syncToDisk(directory);
  }

  #makeDirectory(algorithm: string): string {
    for (const name of ["blobs", `blobs/${algorithm}`]) {
      if (!this.#isDirectory(name)) makeIfMissing(`${this.#store}/${name}`, this.#modes.directory);
      this.#isDirectory(name);
    }
    return `${this.#store}/blobs/${algorithm}`;
  }

  #names(algorithm: string): string[] {
    const name = `blobs/${algorithm}`;
    if (!this.#isDirectory("blobs") || !this.#isDirectory(name)) return [];
    return namesIn(`${this.#store}/${name}`);
  }

  /** Whether the directory is there. A symlink in its place could name any directory of the host. */
  #isDirectory(name: string): boolean {
    const path = `${this.#store}/${name}`;
    const stat = lstatOrNull(path);
    if (stat === null || stat.isDirectory) return stat !== null;
    throw new LayerfsError(
      "image-invalid",
      `Cannot use the store "${this.#store}": "${name}" is not a directory`,
      { path },
    );
  }
}

/** The digest of what is at `location`, where nobody says it. */
export async function digestLocation(
  location: BlobLocation,
  { engine, signal }: Pick<AddOptions, "engine" | "signal">,
): Promise<Digest> {
  const hasher = createHasher("sha256", engine);
  const bytes = readContent(location, `"${location.path}"`, signal);
  for await (const piece of bytes) hasher.update(piece);
  return formatDigest(hasher.algorithm, hasher.digest());
}

function makeIfMissing(path: string, mode: number): void {
  try {
    Deno.mkdirSync(path, { mode });
  } catch (error) {
    if (errnoName(error) !== "EEXIST") throw storageError(error, `Cannot make "${path}"`);
  }
}

/** Copies `source` to the new file `path`, its digest computed on the way, and syncs it. */
async function copyVerified(
  source: BlobContent | Uint8Array,
  digest: Digest,
  path: string,
  options: AddOptions & { readonly mode: number },
): Promise<void> {
  const hasher = createHasher(digestAlgorithm(digest), options.engine);
  removeIfThere(path);
  using file = Deno.openSync(path, { write: true, createNew: true, mode: options.mode });
  for await (const piece of pieces(source, digest, options.signal)) {
    hasher.update(piece);
    writeAll(file, piece);
    options.onBytes?.(piece.length);
  }
  const found = formatDigest(hasher.algorithm, hasher.digest());
  if (found !== digest) {
    throw withOrigin(
      new LayerfsError("digest-mismatch", `Cannot verify ${digest}: digest is "${found}"`, {
        digest,
        found,
      }),
      source,
    );
  }
  file.syncSync();
}

async function* pieces(
  source: BlobContent | Uint8Array,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (!(source instanceof Uint8Array)) return yield* readContent(source, what, signal);
  checkAborted(signal, what);
  yield source;
}
