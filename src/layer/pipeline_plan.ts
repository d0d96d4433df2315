/**
 * Which threads a pipeline has, and what each of them does: decided by how large the layers are, and
 * where their blobs are.
 *
 * @module
 */

import { isLocation } from "../blob/content.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { createLaneMemory, placesOf } from "../core/lane_memory.ts";
import { BELL, type Bell, type Board } from "./board.ts";
import type { LayerSource } from "./layer_source.ts";
import type { ApartOptions } from "./messages.ts";
import { createRing, RING_BYTES, type SharedRing } from "./ring.ts";

/** Tar streams that are in the making at a time: the one being written, and one read ahead. */
const RINGS = 2;

/**
 * The same where layers are unpacked apart: with their blobs, they fill the four lanes of a vector. More
 * measured no faster.
 */
const RINGS_APART = 3;

/**
 * Bytes of a blob from which on its layer is unpacked apart, or tar is asked about access control
 * lists for it: below, there is little to be won.
 */
export const WORTH_BYTES = 256 * 1024;

/**
 * Bytes of blobs from which on a thread of their own computes the diffIDs: below, it takes longer to
 * start than it saves (measured).
 */
const LARGE_BYTES = 4 * 1024 * 1024;

export class PipelinePlan {
  /** Whether a thread of their own computes digests. */
  readonly isDigesting: boolean;
  /** Whether that thread does so of blobs as well: it must find them in files. */
  readonly #digestsBlobs: boolean;
  /** How layers are unpacked apart; null where they are not, as they may not or it is not worth it. */
  readonly apart: ApartOptions | null;
  /** The bells of the threads that decompress. */
  readonly inflaters: readonly Bell[];
  /** Rings for tar streams, and those who read them. */
  readonly #rings: number;
  readonly #readers: readonly Bell[];

  /**
   * @param apart how layers may be unpacked apart; null where they may not. Where each of them makes a
   * tree, a second thread that decompresses gains 1 % of the time, and takes 10 MiB (measured).
   */
  constructor(layers: readonly LayerSource[], apart: ApartOptions | null) {
    this.isDigesting = bytesOf(layers) >= LARGE_BYTES;
    this.#digestsBlobs = this.isDigesting && layers.every(({ content }) => isLocation(content));
    this.apart = this.#digestsBlobs && layers.slice(1).some(isWorthIt) ? apart : null;
    this.inflaters = this.apart?.isOneTree ? [BELL.inflate, BELL.inflateToo] : [BELL.inflate];
    this.#rings = Math.min(layers.length, this.apart !== null ? RINGS_APART : RINGS);
    this.#readers = this.isDigesting ? [BELL.write, BELL.digest] : [BELL.write];
  }

  /** Makes memory for the rings, if that is where they are digested; otherwise null. */
  createMemory(engine: DigestEngine): WebAssembly.Memory | null {
    return this.isDigesting && engine === "wasm"
      ? createLaneMemory(this.#rings * RING_BYTES)
      : null;
  }

  /** Makes the rings for tar streams. @param memory as {@linkcode createMemory} makes it */
  createRings(board: Board, memory: WebAssembly.Memory | null): SharedRing[] {
    const places = memory === null ? null : placesOf(memory);
    return Array.from({ length: this.#rings }, (_, ring) => {
      const writer = this.inflaters[ring % this.inflaters.length]!;
      const data = places?.subarray(ring * RING_BYTES, (ring + 1) * RING_BYTES);
      return createRing(board, writer, this.#readers, data);
    });
  }

  /** Whether the thread that computes digests does so of a blob as well, beside the tar streams. */
  isDigestedElsewhere({ digest, diffId }: LayerSource): boolean {
    return this.#digestsBlobs && digest !== null && diffId !== null && digest !== diffId;
  }
}

/** Bytes of the blobs of some layers. */
export function bytesOf(layers: readonly LayerSource[]): number {
  return layers.reduce((sum, { content }) => sum + content.length, 0);
}

/** Whether a layer is large enough to be unpacked apart. */
export function isWorthIt({ content }: LayerSource): boolean {
  return content.length >= WORTH_BYTES;
}
