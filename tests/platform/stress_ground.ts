/**
 * Where the stress tests work: a store, the real command line on it, and all that can be seen of the
 * store from outside: its files, its mounts, its datasets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { layerfsCommand, must, type Outcome, outcome, run, start, type Work } from "./harness.ts";
import type { StressImage } from "./stress_images.ts";

/** What a test reads of `create --json`. */
export interface CreatedRow {
  readonly id: string;
  readonly rootfs: string;
  readonly layers: { readonly total: number; readonly reused: number; readonly applied: number };
}

/** What a test reads of `fsck --json`. */
export interface Problems {
  readonly checked: { readonly layers: number; readonly contents: number };
  readonly problems: readonly {
    readonly kind: string;
    readonly subject: string;
    readonly detail: string;
    readonly repaired: boolean;
  }[];
}

/** What a test reads of `gc --json`. */
export interface Collected {
  readonly layers: readonly string[];
  readonly deferred: readonly string[];
  readonly blobs: readonly string[];
  readonly staging: readonly string[];
}

/** A driver to test, and where its stores can be. */
export interface StressDriver {
  /** For the names of tests. */
  readonly name: string;
  /** Options of layerfs that choose it for a new store. */
  options(store: string): readonly string[];
  /** Whether a layer is kept, and applied once. */
  readonly keepsLayers: boolean;
  /** Makes the directory below which stores can be; `work` undoes it. */
  place(work: Work): Promise<string>;
  /** Names of what a store has outside of its directory, such as datasets. */
  outside(store: string): Promise<string[]>;
  /** Removes that, once nothing of the store is mounted. */
  destroy(store: string): Promise<void>;
  /** Why it cannot be tested here; absent where it can. */
  readonly skip?: string;
}

/** A number that the environment may set. */
export function setting(name: string, usual: number): number {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return usual;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is "${text}"`);
  return value;
}

let stores = 0;

/** A store of the test's own. */
export class Ground {
  readonly store: string;
  readonly #command: readonly string[];
  readonly #driver: StressDriver;

  private constructor(store: string, command: readonly string[], driver: StressDriver) {
    this.store = store;
    this.#command = command;
    this.#driver = driver;
  }

  /** One that does not exist yet; `work` removes it with all that belongs to it. */
  static async create(work: Work, driver: StressDriver, place?: string): Promise<Ground> {
    const store = `${place ?? await driver.place(work)}/store-${Deno.pid}-${stores++}`;
    const ground = new Ground(store, await layerfsCommand(), driver);
    work.defer(() => ground.#remove());
    return ground;
  }

  /** The whole command line for `args`. */
  argv(args: readonly string[]): string[] {
    const options = this.#driver.options(this.store);
    return [...this.#command, "--store", this.store, ...options, ...args];
  }

  /** Runs layerfs, whatever its exit status. */
  run(...args: string[]): Promise<Outcome> {
    return run(this.argv(args));
  }

  /** Starts layerfs with `--json`, which must end with one of `statuses`; returns its document. */
  async json<T>(args: readonly string[], ...statuses: number[]): Promise<T> {
    const { code, stdout, stderr } = await run(this.argv(["--json", ...args]));
    if (!(statuses.length === 0 ? [0] : statuses).includes(code)) {
      throw new Error(`layerfs ${args.join(" ")}: exit status ${code}: ${stdout}${stderr}`);
    }
    return JSON.parse(stdout);
  }

  /** `layerfs create`, which must succeed. */
  create(name: string, image: StressImage): Promise<CreatedRow> {
    return this.json(["create", "--name", name, image.reference]);
  }

  /** `layerfs fsck`, whatever it finds. */
  fsck(...options: string[]): Promise<Problems> {
    return this.json(["fsck", ...options], 0, 7);
  }

  /** Fails where fsck finds anything. */
  async assertClean(...options: string[]): Promise<Problems> {
    const found = await this.fsck(...options);
    assertEquals(found.problems, []);
    return found;
  }

  /** Ids of the containers that have a record, by an own look. */
  containers(): string[] {
    const ids = [...Deno.readDirSync(`${this.store}/containers`)].map(({ name }) => name);
    return ids.filter((id) => exists(`${this.rootfs(id)}/../layerfs.json`)).sort();
  }

  rootfs(id: string): string {
    return `${this.store}/containers/${id}/rootfs`;
  }

  /** Fails unless the container has exactly the files of `image`. */
  async assertFiles(id: string, image: StressImage): Promise<void> {
    const list = ["find", this.rootfs(id), "-type", "f", "-printf", "%P %s\\n"];
    const found = (await must(list)).split("\n").filter((line) => line !== "").sort();
    assertEquals(found, image.files, `files of container ${id}`);
  }

  /** Mounts below the store, by an own look at the kernel's table. */
  async mounts(): Promise<string[]> {
    const table = await must(["cat", "/proc/self/mountinfo"]);
    const targets = table.split("\n").map((line) => line.split(" ")[4] ?? "");
    return targets.filter((target) => target.startsWith(`${this.store}/`)).sort();
  }

  /** What the store has outside of its directory. */
  outside(): Promise<string[]> {
    return this.#driver.outside(this.store);
  }

  /** All names of the store, inside and outside; nothing of what is mounted in it. */
  async inventory(): Promise<string[]> {
    const list = ["find", this.store, "-xdev", "-mindepth", "1", "-printf", "%y %P\\n"];
    const names = (await must(list)).split("\n").filter((line) => line !== "");
    return [...names, ...await this.outside()].sort();
  }

  async #remove(): Promise<void> {
    for (const mount of (await this.mounts()).reverse()) await must(["umount", mount]);
    await this.#driver.destroy(this.store);
    await must(["rm", "-rf", "--one-file-system", this.store]);
  }
}

/** Whether there is anything at `path`. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Waits until no process of the session `leader` is left: what a killed one has started. */
const LAST_OF_SESSION = `
  for try in {1..3000}; do
    left=
    for stat in /proc/[0-9]*/stat; do
      { read -r line <"$stat"; } 2>/dev/null || continue
      fields=(\${line##*) })
      [ "\${fields[3]}" = "$0" ] && [ "\${fields[0]}" != Z ] && left=\${stat//[!0-9]}
    done
    [ -n "$left" ] || exit 0
    sleep 0.01
  done
  echo "process $left is still there" >&2
  exit 1`;

/** What became of a command that was to be killed. */
export interface Killed {
  /** Whether it was still at work. */
  readonly killed: boolean;
  readonly outcome: Outcome;
  /** Milliseconds that it was at work. */
  readonly took: number;
}

/**
 * Starts a program, and kills it after `delay` milliseconds. Returns when nothing that it has started
 * runs any more.
 *
 * @param all kills what it has started as well; else that runs to its end
 */
export async function killAfter(
  argv: readonly string[],
  delay: number,
  all: boolean,
): Promise<Killed> {
  const started = performance.now();
  const child = start(["setsid", ...argv]);
  const ended = outcome(child);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), delay));
  const first = await Promise.race([ended, late]);
  clearTimeout(timer);
  if (first === "late") {
    // That it has ended meanwhile is no failure.
    if (all) await run(["kill", "-KILL", "--", `-${child.pid}`]);
    else await run(["kill", "-KILL", String(child.pid)]);
  }
  const result = await ended;
  const took = performance.now() - started;
  await must(["bash", "-c", LAST_OF_SESSION, String(child.pid)]);
  return { killed: result.code === 137, outcome: result, took };
}

/** Numbers from 0 to 1 that are the same for one seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6D2B79F5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Tells whoever runs the tests. */
export function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** One of several. */
export function pick<T>(random: () => number, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new RangeError("nothing to choose from");
  return value;
}
