/**
 * The threads of a pipeline (see pipeline.ts). One takes longer until it is at work than a manifest
 * takes to be read: so whoever is certain to need them may start them before it is known what for.
 *
 * @module
 */

/** What a thread does. */
export type ThreadName = "inflate" | "digest" | "write";

/** Threads that were started early, and have nothing to do yet. */
const early = new Map<ThreadName, Worker>();

/** A thread that has been told nothing yet. Whoever takes it ends it. */
export function takeThread(name: ThreadName): Worker {
  const worker = early.get(name) ?? start(name);
  early.delete(name);
  return worker;
}

/**
 * Starts those threads that every pipeline has.
 *
 * @returns ends those that nobody has taken until then
 */
export function startEarly(): Disposable {
  // First the one that takes longest until it is at work.
  const names: readonly ThreadName[] = ["write", "inflate"];
  for (const name of names) if (!early.has(name)) early.set(name, start(name));
  return {
    [Symbol.dispose]: () => {
      for (const worker of early.values()) worker.terminate();
      early.clear();
    },
  };
}

function start(name: ThreadName): Worker {
  switch (name) {
    case "inflate":
      return new Worker(new URL("./inflate_worker.ts", import.meta.url), { type: "module" });
    case "digest":
      return new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
    case "write":
      return new Worker(new URL("./write_worker.ts", import.meta.url), { type: "module" });
  }
}
