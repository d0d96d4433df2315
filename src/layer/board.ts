/**
 * What the threads of a pipeline tell each other beside the bytes in their rings.
 *
 * Each thread has a bell. Whoever changes something that another one may wait for rings that one's
 * bell afterwards; whoever finds nothing to do waits for his own to be rung. So one thread can wait
 * for several rings at a time.
 *
 *     words   0 cancelled      1: everybody ends
 *             1 head           layers that are in their tree, or left out
 *             2 calls          messages to the thread that writes
 *             3 to 7 bells     go up with every ring: see BELL
 *             8 + 2l wish      of layer l, bits: DROPPED (nobody wants it), AGAIN (once more)
 *             9 + 2l claims    bit a: somebody reads that layer for the first (0), second time (1);
 *                              bit 2: it may be unpacked apart
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { StreamName } from "./stream_name.ts";

const CANCELLED = 0;
const HEAD = 1;
const CALLS = 2;
const BELLS = 3;
const WISHES = 8;
const CLAIMS = 9;
const WORDS_A_LAYER = 2;

const DROPPED = 1;
const AGAIN = 2;

const APART = 1 << 2;

/** The bell of each thread; two may inflate. */
export const BELL = { main: 0, digest: 1, write: 2, inflate: 3, inflateToo: 4 } as const;

export type Bell = typeof BELL[keyof typeof BELL];

/** A board's memory, which can be sent to other threads. */
export type SharedBoard = Int32Array<SharedArrayBuffer>;

export class Board {
  /** Its memory. */
  readonly shared: SharedBoard;

  constructor(shared: SharedBoard) {
    this.shared = shared;
  }

  /** A new one, for so many layers. */
  static create(layers: number): Board {
    const words = WISHES + WORDS_A_LAYER * layers;
    return new Board(new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)));
  }

  /** Ends the work of everybody: from now on {@linkcode checkCancelled} throws. */
  cancel(): void {
    Atomics.store(this.shared, CANCELLED, 1);
    for (const bell of Object.values(BELL)) this.ring(bell);
  }

  /** @throws {LayerfsError} `interrupted` where the work is cancelled */
  checkCancelled(): void {
    if (Atomics.load(this.shared, CANCELLED) === 0) return;
    throw new LayerfsError("interrupted", "interrupted");
  }

  /** Wakes a thread, once what it may wait for is done. */
  ring(bell: Bell): void {
    Atomics.add(this.shared, BELLS + bell, 1);
    Atomics.notify(this.shared, BELLS + bell);
  }

  /** Waits until `holds`, which the ring of `bell` announces. @throws as {@linkcode checkCancelled} */
  wait(bell: Bell, holds: () => boolean): void {
    for (;;) {
      // Read before what it guards: a change in between ends the wait at once.
      const rung = Atomics.load(this.shared, BELLS + bell);
      this.checkCancelled();
      if (holds()) return;
      Atomics.wait(this.shared, BELLS + bell, rung);
    }
  }

  /** As {@linkcode wait}, in a thread that must not stand still. */
  async waitLater(bell: Bell, holds: () => boolean): Promise<void> {
    for (;;) {
      const rung = Atomics.load(this.shared, BELLS + bell);
      this.checkCancelled();
      if (holds()) return;
      await Atomics.waitAsync(this.shared, BELLS + bell, rung).value;
    }
  }

  /** Says that the thread that writes has a message, which it sees when it stands still only. */
  call(): void {
    Atomics.add(this.shared, CALLS, 1);
    this.ring(BELL.write);
  }

  /** How often it was called. */
  get calls(): number {
    return Atomics.load(this.shared, CALLS);
  }

  /** Layers, from the first on, that are in their tree or left out. */
  get head(): number {
    return Atomics.load(this.shared, HEAD);
  }

  /** Says that one more layer is in its tree, or left out. */
  advance(): void {
    Atomics.add(this.shared, HEAD, 1);
    this.#ringInflaters();
  }

  /** Says that nobody wants what is still to come of a layer. */
  drop(layer: number): void {
    Atomics.or(this.shared, WISHES + WORDS_A_LAYER * layer, DROPPED);
    this.#ringInflaters();
  }

  /** Asks for a layer a second time; nobody wants what is still to come of the first. */
  askAgain(layer: number): void {
    Atomics.or(this.shared, WISHES + WORDS_A_LAYER * layer, AGAIN);
    this.#ringInflaters();
  }

  isAskedAgain(layer: number): boolean {
    return (this.#wish(layer) & AGAIN) !== 0;
  }

  /** @param attempt 0 the first time that the layer is read, 1 the second time */
  isDropped(layer: number, attempt: number): boolean {
    const wish = this.#wish(layer);
    return (wish & DROPPED) !== 0 || ((wish & AGAIN) !== 0 && attempt === 0);
  }

  /** Says that somebody reads a stream now. @returns false where somebody else has said so */
  claim({ layer, attempt }: StreamName): boolean {
    const before = Atomics.or(this.shared, CLAIMS + WORDS_A_LAYER * layer, 1 << attempt);
    return (before & (1 << attempt)) === 0;
  }

  /** Whether somebody reads a stream, or has read it. */
  isClaimed({ layer, attempt }: StreamName): boolean {
    return (Atomics.load(this.shared, CLAIMS + WORDS_A_LAYER * layer) & (1 << attempt)) !== 0;
  }

  /** Says that a layer may be unpacked apart from those below it. */
  allowApart(layer: number): void {
    Atomics.or(this.shared, CLAIMS + WORDS_A_LAYER * layer, APART);
    this.#ringInflaters();
  }

  mayBeApart(layer: number): boolean {
    return (Atomics.load(this.shared, CLAIMS + WORDS_A_LAYER * layer) & APART) !== 0;
  }

  #wish(layer: number): number {
    return Atomics.load(this.shared, WISHES + WORDS_A_LAYER * layer);
  }

  #ringInflaters(): void {
    this.ring(BELL.inflate);
    this.ring(BELL.inflateToo);
  }
}
