/**
 * The threads that layers go through.
 *
 * One takes about 40 ms until it is at work: 15 for its isolate, in which the thread that starts it
 * stands still, and the rest for its modules (measured). Whoever knows that layers will be applied,
 * but has still to find out which, starts some ahead, and loads and reads beside them.
 *
 * @module
 */

/** What a thread does. */
export type ThreadKind = "inflate" | "digest" | "write";

/** How each is started. */
const START: Readonly<Record<ThreadKind, () => Worker>> = {
  inflate: () => new Worker(new URL("./inflate_worker.ts", import.meta.url), { type: "module" }),
  digest: () => new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" }),
  write: () => new Worker(new URL("./write_worker.ts", import.meta.url), { type: "module" }),
};

/** Those that every pipeline has, first the one that takes longest until it is at work. */
const ALWAYS: readonly ThreadKind[] = ["write", "inflate"];

/** Threads for one pipeline. */
export class Threads implements Disposable {
  readonly #ahead = new Map<ThreadKind, Worker>();

  /** Starts those that are wanted in any case. */
  startAhead(): void {
    for (const kind of ALWAYS) {
      const worker = START[kind]();
      this.#ahead.set(kind, worker);
      worker.onerror = (event) => {
        // Whoever wants one gets another, and is told of what becomes of that.
        event.preventDefault();
        this.#ahead.delete(kind);
      };
    }
  }

  /** One that was started ahead, or a new one: from now on the caller's, who must end it. */
  take(kind: ThreadKind): Worker {
    const worker = this.#ahead.get(kind);
    this.#ahead.delete(kind);
    return worker ?? START[kind]();
  }

  /** Ends those that were started ahead and not taken. */
  [Symbol.dispose](): void {
    for (const worker of this.#ahead.values()) worker.terminate();
    this.#ahead.clear();
  }
}
