/**
 * One line on a terminal that tells how far the layers are.
 *
 * @module
 */

import type { ProgressEvent } from "../layer/progress.ts";
import { formatBytes, formatClock } from "./style.ts";

/** Milliseconds between two drawings: ten a second are enough for the eye. */
const INTERVAL = 100;

/** Milliseconds that must have passed before a rate, and what follows from it, means something. */
const WARM_UP = 500;

/** Carriage return, and "erase to the end of the line" (ECMA-48 EL). */
const CLEAR = "\r\x1b[K";

/** Where the line goes. */
export interface ProgressScreen {
  readonly write: (text: string) => void;
  /** Characters of a line. */
  readonly columns: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/** Draws {@linkcode ProgressEvent}s. */
export class ProgressLine {
  readonly #screen: ProgressScreen;
  #layers = 0;
  #layersDone = 0;
  #bytes = 0;
  #bytesDone = 0;
  #started = 0;
  #drawn = -Infinity;
  #visible = false;

  constructor(screen: ProgressScreen) {
    this.#screen = screen;
  }

  /** Takes an event; draws if it is time to. */
  show(event: ProgressEvent): void {
    if (event.type === "start") {
      this.#layers = event.layers;
      this.#bytes = event.bytes;
      this.#layersDone = this.#bytesDone = 0;
      this.#started = this.#screen.now();
    } else if (event.type === "bytes") {
      this.#bytesDone += event.delta;
    } else if (event.type === "layer") {
      this.#layersDone++;
    } else {
      return this.clear();
    }
    const now = this.#screen.now();
    if (now - this.#drawn < INTERVAL) return;
    this.#drawn = now;
    this.#visible = true;
    this.#screen.write(CLEAR + this.#line(now).slice(0, this.#screen.columns - 1));
  }

  /** Takes the line off the screen. */
  clear(): void {
    if (this.#visible) this.#screen.write(CLEAR);
    this.#visible = false;
  }

  #line(now: number): string {
    const parts = [`layers ${this.#layersDone}/${this.#layers}`];
    const share = this.#bytes > 0 ? Math.min(1, this.#bytesDone / this.#bytes) : 0;
    parts.push(`${formatBytes(this.#bytesDone)} of ${formatBytes(this.#bytes)}`);
    parts.push(`${Math.floor(share * 100)} %`);
    const elapsed = now - this.#started;
    if (elapsed >= WARM_UP && this.#bytesDone > 0) {
      const rate = this.#bytesDone / (elapsed / 1000);
      const left = Math.max(0, this.#bytes - this.#bytesDone) / rate;
      parts.push(`${formatBytes(rate)}/s`, `${formatClock(left)} left`);
    }
    return parts.join("  ");
  }
}
