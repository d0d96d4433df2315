/**
 * When to try again, and how long to wait for anything.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

/** Clock and patience; tests have their own. Times are in milliseconds. */
export interface Timing {
  /** Tries of one request, the first included. */
  readonly attempts: number;
  /** Wait before the second try, doubled for each further one up to {@linkcode maxDelay}. */
  readonly baseDelay: number;
  /** The longest wait of our own choosing. */
  readonly maxDelay: number;
  /** The longest wait that a registry may ask for (Retry-After). */
  readonly maxRetryAfter: number;
  /** How long a connection may be silent. */
  readonly idle: number;
  /** How long a registry may take to answer once it has all of an upload, which it digests. */
  readonly commit: number;
  /** How long a document or a listing may take in all. */
  readonly document: number;
  /** How long the text of an error may take. */
  readonly errorBody: number;
  /** How long it may take to tell a registry that an upload is given up. */
  readonly farewell: number;
  /** The time, as `Date.now`. */
  readonly now: () => number;
  /** From 0 up to 1, as `Math.random`. */
  readonly random: () => number;
  /** Waits; ends early, without an error, when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** What is used outside of tests. */
export const DEFAULT_TIMING: Timing = {
  attempts: 5,
  baseDelay: 500,
  maxDelay: 20_000,
  maxRetryAfter: 60_000,
  idle: 60_000,
  commit: 600_000,
  document: 120_000,
  errorBody: 5_000,
  farewell: 1_500,
  now: Date.now,
  random: Math.random,
  sleep,
};

/** A failure that may not happen again. */
export class Transient extends Error {
  /**
   * @param error what is thrown where all tries fail
   * @param asked milliseconds that the registry asks to wait; null where it asks for nothing
   */
  constructor(readonly error: LayerfsError, readonly asked: number | null = null) {
    super(error.message);
  }
}

/**
 * Calls `attempt` until it does not throw a {@linkcode Transient}, with growing waits in between.
 *
 * @throws {LayerfsError} that of the last try, `interrupted`, and whatever else `attempt` throws
 */
export async function withRetries<T>(
  timing: Timing,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 1;; tries++) {
    throwIfInterrupted(signal);
    try {
      return await attempt();
    } catch (failure) {
      if (!(failure instanceof Transient)) throw failure;
      await backOff(timing, tries, failure, signal);
    }
  }
}

/**
 * Waits after a failure, with jitter so that many clients do not come back at once: from half of
 * the delay to the whole, or as long as the registry asks for.
 *
 * @param tries how often it has been tried
 * @throws {LayerfsError} the failure's, once there is no more to try; `interrupted`
 */
export async function backOff(
  timing: Timing,
  tries: number,
  { error, asked }: Transient,
  signal?: AbortSignal,
): Promise<void> {
  if (asked !== null && asked > timing.maxRetryAfter) {
    throw extended(error, `it asks to come back in ${Math.ceil(asked / 1000)} s`);
  }
  if (tries >= timing.attempts) throw extended(error, `tried ${tries} times`);
  const delay = Math.min(timing.baseDelay * 2 ** (tries - 1), timing.maxDelay);
  const jittered = delay * (1 + timing.random()) / 2;
  await timing.sleep(Math.max(jittered, asked ?? 0), signal);
  throwIfInterrupted(signal);
}

function extended(error: LayerfsError, remark: string): LayerfsError {
  return new LayerfsError(error.code, `${error.message} (${remark})`, error.data);
}

/** Milliseconds that a Retry-After header asks for (RFC 9110, 10.2.3); null where it says nothing. */
export function parseRetryAfter(value: string | null, now: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Date.parse takes almost anything; a date of HTTP begins with a day's name.
  if (!/^[A-Z][a-z]{2}[a-z]*,? /.test(text)) return null;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** @throws {LayerfsError} `interrupted` where the signal has aborted */
export function throwIfInterrupted(signal?: AbortSignal): void {
  if (signal?.aborted) {
    throw new LayerfsError("interrupted", "Cannot use the registry: interrupted");
  }
}

/** Aborts a request that is silent for too long. */
export class Watchdog implements Disposable {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Aborts when the time is up, or when `outer` does. */
  readonly signal: AbortSignal;

  constructor(outer?: AbortSignal) {
    const { signal } = this.#controller;
    this.signal = outer === undefined ? signal : AbortSignal.any([outer, signal]);
  }

  /** Whether it was the time that was up. */
  get expired(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Gives it `ms` from now on. */
  wind(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  /** Lets it rest. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.rest();
  }
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = () => resolve();
  signal?.addEventListener("abort", wake);
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", wake);
}
