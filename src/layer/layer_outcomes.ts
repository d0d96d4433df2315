/**
 * What becomes of the layers of a pipeline, and the error to tell of where something is wrong with
 * one.
 *
 * @module
 */

import { withOrigin } from "../blob/origin.ts";
import { within } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { type LayerBytes, type LayerSource, mismatch } from "./layer_source.ts";
import { isAboutContent, isInterruption } from "./messages.ts";
import type { ReadResult } from "./read_layer.ts";
import type { StreamName } from "./stream_name.ts";

/** A promise, and how it is settled. */
export type Pending<T> = ReturnType<typeof Promise.withResolvers<T>>;

/** Where layers are in their image, for messages. */
interface Positions {
  /** For each layer, from 0. */
  readonly positions: readonly number[];
  /** Layers that the image has. */
  readonly total: number;
}

/** A promise that nobody may ever look at. */
export function pending<T>(): Pending<T> {
  const all = Promise.withResolvers<T>();
  all.promise.catch(() => {});
  return all;
}

/** What becomes of a layer when it is read. */
export class LayerOutcome {
  readonly read = pending<ReadResult | null>();
  /** What the digest of its tar stream was found to be; null where that did not come to its end. */
  readonly tarDigest = pending<Digest | null>();
  /** How much of the blob was read so far. */
  bytes = 0;

  /** Whoever waits for something that is not there yet will have to go without. */
  reject(error: Error): void {
    for (const one of [this.read, this.tarDigest]) one.reject(error);
  }
}

/** What becomes of all layers. */
export class LayerOutcomes {
  readonly #layers: readonly LayerSource[];
  readonly #where: Positions;
  /** Digests of blobs that are computed elsewhere than they are read. */
  readonly #blobDigests: readonly (Pending<Digest> | null)[];
  /** For each layer, the first time that it is read, and the second time. */
  readonly #attempts: readonly (readonly [LayerOutcome, LayerOutcome])[];
  /** Layers whose second time counts. */
  readonly #again = new Set<number>();

  /** @param isDigestedElsewhere whether a blob's digest is computed elsewhere than it is read */
  constructor(
    layers: readonly LayerSource[],
    where: Positions,
    isDigestedElsewhere: (layer: LayerSource) => boolean,
  ) {
    this.#layers = layers;
    this.#where = where;
    this.#blobDigests = layers.map((layer) => isDigestedElsewhere(layer) ? pending() : null);
    this.#attempts = layers.map(() => [new LayerOutcome(), new LayerOutcome()]);
  }

  /** That of a stream. */
  of({ layer, attempt }: StreamName): LayerOutcome {
    return this.#attempts[layer]![attempt as 0 | 1];
  }

  /** The digest of a layer's blob, one that is computed elsewhere than the blob is read. */
  blobDigest(layer: number): Pending<Digest> {
    const digest = this.#blobDigests[layer];
    if (digest) return digest;
    throw new TypeError(`Cannot take a digest of layer ${layer}: it is verified as it is read`);
  }

  /** From now on, only the second time that the layer is read counts. */
  countSecond(layer: number): void {
    this.#again.add(layer);
  }

  /** Counts bytes of a blob. @returns how many of them are read for the first time */
  addBytes(stream: StreamName, delta: number): number {
    const [first, second] = this.#attempts[stream.layer]!;
    const before = Math.max(first.bytes, second.bytes);
    this.of(stream).bytes += delta;
    return Math.max(first.bytes, second.bytes) - before;
  }

  /** Whoever waits for something that is not there yet will have to go without. */
  reject(error: Error): void {
    for (const attempts of this.#attempts) for (const one of attempts) one.reject(error);
    for (const digest of this.#blobDigests) digest?.reject(error);
  }

  #counted(layer: number): LayerOutcome {
    return this.#attempts[layer]![this.#again.has(layer) ? 1 : 0];
  }

  /**
   * What was read for layers that are in their tree, once all of it is found to be right.
   *
   * @param end the layer behind the last one
   * @throws {LayerfsError} what is wrong with the first of them that is not
   */
  async verified(first: number, end: number): Promise<LayerBytes[]> {
    const read: LayerBytes[] = [];
    for (let layer = first; layer < end; layer++) read.push(await this.#verified(layer));
    return read;
  }

  async #verified(layer: number): Promise<LayerBytes> {
    try {
      const { compressed, uncompressed } = (await this.#readOf(layer))!;
      const { diffId } = this.#layers[layer]!;
      if (diffId !== null) {
        const found = await this.#counted(layer).tarDigest.promise;
        if (found === null) throw new TypeError("Cannot verify: its stream has no digest");
        if (found !== diffId) throw mismatch("diffID", found, diffId);
      }
      return { compressed, uncompressed };
    } catch (error) {
      throw this.#label(error, layer);
    }
  }

  /**
   * What was read of a blob, once its digest is found to be right; null where nobody wanted it.
   *
   * @throws {LayerfsError} what is wrong with it: the digest, whatever else its damage has led to
   */
  async #readOf(layer: number): Promise<ReadResult | null> {
    const outcome = this.#counted(layer);
    let result: ReadResult | null = null;
    let failure: { error: unknown } | null = null;
    try {
      result = await outcome.read.promise;
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      failure = { error };
    }
    const found = await this.#blobDigests[layer]?.promise;
    const { digest } = this.#layers[layer]!;
    if (found !== undefined && found !== digest) throw mismatch("digest", found, digest!);
    if (failure !== null) throw failure.error;
    return result;
  }

  /**
   * The error to tell of, where a layer could not be written.
   *
   * @param error null where its stream was broken
   */
  async diagnose(layer: number, error: Error | null): Promise<unknown> {
    if (error !== null && !isAboutContent(error)) return this.#label(error, layer);
    try {
      // A damaged blob is reported by its digest, whatever else its damage has led to.
      const read = await this.#readOf(layer);
      const { digest, diffId } = this.#layers[layer]!;
      const announced = digest ?? diffId;
      if (read?.compression === "none" && !read.verified && announced !== null) {
        const found = diffId === null ? null : await this.#counted(layer).tarDigest.promise;
        if (found !== null && found !== announced) error = mismatch("digest", found, announced);
      }
      return this.#label(error, layer);
    } catch (cause) {
      return this.#label(error !== null && isAboutContent(cause) ? error : cause, layer);
    }
  }

  #label(error: unknown, index: number): unknown {
    if (isInterruption(error)) return error;
    const { content, digest, diffId } = this.#layers[index]!;
    const { positions, total } = this.#where;
    const layer = positions[index]! + 1;
    const named = digest ?? diffId ?? "of a file";
    return within(withOrigin(error, content), `Cannot apply layer ${layer} of ${total}, ${named}`, {
      layer,
      digest: named,
    });
  }
}
