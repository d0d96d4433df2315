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
import type { StreamName } from "./stream_name.ts";

export class ReadOrder {
  readonly #sizes: readonly number[];
  readonly #isApart: boolean;
  readonly #board: Board;
  /** Where all are read one after the other: the layer that comes next. */
  #following = 0;
  /** Streams that were begun here, and have not ended. */
  #running = 0;

  /**
   * @param sizes bytes of each layer's blob
   * @param isApart whether layers may be unpacked apart; all are read one after the other, by one
   * thread, where they may not
   */
  constructor(sizes: readonly number[], isApart: boolean, board: Board) {
    this.#sizes = sizes;
    this.#isApart = isApart;
    this.#board = board;
  }

  /** Whether there is nothing to be read any more. */
  get isOver(): boolean {
    // One that nobody wants any more must come to its end too: who digests it waits for that.
    if (this.#running > 0) return false;
    return (this.#isApart ? this.#board.head : this.#following) === this.#sizes.length;
  }

  /** What is to be begun now, here and nowhere else; null for nothing. */
  next(): StreamName | null {
    const stream = this.#isApart ? this.#claim() : this.#nextInTurn();
    if (stream !== null) this.#running++;
    return stream;
  }

  /** Says that one that was begun has ended. */
  end(): void {
    this.#running--;
  }

  #nextInTurn(): StreamName | null {
    if (this.#running > 0 || this.#following === this.#sizes.length) return null;
    return { layer: this.#following++, attempt: 0 };
  }

  #claim(): StreamName | null {
    for (;;) {
      const stream = this.#first();
      if (stream === null || this.#board.claim(stream)) return stream;
    }
  }

  /** What comes first of what nobody has claimed. */
  #first(): StreamName | null {
    const board = this.#board;
    const layer = board.head;
    if (layer === this.#sizes.length) return null;
    if (!board.isClaimed({ layer, attempt: 0 })) return { layer, attempt: 0 };
    const again = { layer, attempt: 1 };
    if (board.isAskedAgain(layer) && !board.isClaimed(again)) return again;
    let largest: number | null = null;
    for (const [layer, size] of this.#sizes.entries()) {
      if (!board.mayBeApart(layer) || board.isClaimed({ layer, attempt: 0 })) continue;
      if (largest === null || size > this.#sizes[largest]!) largest = layer;
    }
    return largest === null ? null : { layer: largest, attempt: 0 };
  }
}
