/**
 * Which layer is read next.
 *
 * Where layers may be unpacked apart from each other, the one that the tree waits for comes first,
 * then the largest. So the one that takes longest is not left for the end, when nothing else is to
 * be done beside it.
 *
 * @module
 */

import type { Board } from "./board.ts";
import type { StreamName } from "./ring.ts";

export class ReadOrder {
  readonly #sizes: readonly number[];
  readonly #apartFrom: number | null;
  readonly #board: Board;
  /** Layers that were begun, for the first time and for the second. */
  readonly #begun: readonly [Set<number>, Set<number>] = [new Set(), new Set()];
  #running = 0;

  /**
   * @param sizes bytes of each layer's blob
   * @param apartFrom bytes of a blob from which on its layer is read before the tree waits for it;
   * null where all are read one after the other
   */
  constructor(sizes: readonly number[], apartFrom: number | null, board: Board) {
    this.#sizes = sizes;
    this.#apartFrom = apartFrom;
    this.#board = board;
  }

  /** Whether there is nothing to be read any more. */
  get isOver(): boolean {
    const layers = this.#sizes.length;
    if (this.#apartFrom !== null) return this.#board.head === layers;
    return this.#begun[0].size === layers && this.#running === 0;
  }

  /** What is to be begun now; null for nothing. */
  next(): StreamName | null {
    const stream = this.#apartFrom === null ? this.#following() : this.#first(this.#apartFrom);
    if (stream === null) return null;
    this.#begun[stream.attempt as 0 | 1].add(stream.layer);
    this.#running++;
    return stream;
  }

  /** Says that one that was begun has ended. */
  end(): void {
    this.#running--;
  }

  #following(): StreamName | null {
    const layer = this.#begun[0].size;
    return this.#running > 0 || layer === this.#sizes.length ? null : { layer, attempt: 0 };
  }

  #first(from: number): StreamName | null {
    const [first, second] = this.#begun;
    const { head } = this.#board;
    if (head === this.#sizes.length) return null;
    if (!first.has(head)) return { layer: head, attempt: 0 };
    if (this.#board.isAskedAgain(head) && !second.has(head)) return { layer: head, attempt: 1 };
    let largest: number | null = null;
    for (const [layer, size] of this.#sizes.entries()) {
      if (first.has(layer) || size < from) continue;
      if (largest === null || size > this.#sizes[largest]!) largest = layer;
    }
    return largest === null ? null : { layer: largest, attempt: 0 };
  }
}
