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

/** How layers are read that may be unpacked apart. */
export interface ApartOrder {
  /** Bytes of each layer's blob. */
  readonly sizes: readonly number[];
  /** Bytes of a blob from which on its layer is read before the tree waits for it. */
  readonly from: number;
}

export class ReadOrder {
  readonly #board: Board;
  readonly #layers: number;
  readonly #apart: ApartOrder | null;
  /** Layers that were begun, for the first time and for the second. */
  readonly #begun: readonly [Set<number>, Set<number>] = [new Set(), new Set()];
  #running = 0;

  /** @param order the number of layers, where they are read one after the other */
  constructor(order: ApartOrder | number, board: Board) {
    this.#board = board;
    this.#apart = typeof order === "number" ? null : order;
    this.#layers = typeof order === "number" ? order : order.sizes.length;
  }

  /** Whether there is nothing to be read any more. */
  get isOver(): boolean {
    if (this.#apart === null) return this.#begun[0].size === this.#layers && this.#running === 0;
    return this.#board.head === this.#layers;
  }

  /** What is to be begun now; null for nothing. */
  next(): StreamName | null {
    const stream = this.#apart === null ? this.#following() : this.#firstOf(this.#apart);
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
    return this.#running > 0 || layer === this.#layers ? null : { layer, attempt: 0 };
  }

  #firstOf({ sizes, from }: ApartOrder): StreamName | null {
    const [first, second] = this.#begun;
    const { head } = this.#board;
    if (head === this.#layers) return null;
    if (!first.has(head)) return { layer: head, attempt: 0 };
    if (this.#board.isAskedAgain(head) && !second.has(head)) return { layer: head, attempt: 1 };
    let largest: number | null = null;
    for (const [layer, size] of sizes.entries()) {
      if (first.has(layer) || size < from) continue;
      if (largest === null || size > sizes[largest]!) largest = layer;
    }
    return largest === null ? null : { layer: largest, attempt: 0 };
  }
}
