/**
 * What the platform tests share: programs, a work directory that cleans up after itself, the real
 * image and the command line of layerfs as its task in deno.json starts it.
 *
 * Tests run as root. They mount and unmount inside their own work directories only. Programs are
 * all started through `env`, so that `--allow-run=env` is the one permission that this takes.
 *
 * @module
 */

import { differences, readTree, type Tree } from "./compare.ts";

/** Holds the image and its reference tree from one run to the next. */
export const CACHE = Deno.env.get("LAYERFS_PLATFORM_CACHE") ?? "/var/tmp/layerfs-platform-cache";

/** Where work directories are: .ci/run names a tmpfs, which is much faster than a disk. */
const WORK = Deno.env.get("LAYERFS_PLATFORM_WORK") ?? "/var/tmp";

/** The checkout, without a slash at the end. */
export const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** What a program left behind. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** How a program is started. */
export interface ProgramOptions {
  cwd?: string;
  /** Variables on top of the test's own. */
  env?: Record<string, string>;
}

/** Starts a program, with its output in pipes. */
export function start(argv: readonly string[], options: ProgramOptions = {}): Deno.ChildProcess {
  return new Deno.Command("env", {
    args: [...argv],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  }).spawn();
}

/** Waits for the end of a program. */
export async function outcome(child: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a program, whatever its exit status. */
export function run(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  return outcome(start(argv, options));
}

/** Runs a program that must succeed, and returns what it printed. */
export async function must(argv: readonly string[], options?: ProgramOptions): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit status ${code}: ${stderr}${stdout}`);
  return stdout;
}

/** How long something may take to come about, in milliseconds: much longer than it does. */
const PATIENCE = 60_000;

/** Waits for what must come about. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`it did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A directory of the test's own, readable for everyone; gone at the end of the test. */
export class Work implements AsyncDisposable {
  readonly directory: string;
  readonly #undo: (() => Promise<unknown>)[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** @param place `disk` for a test that is about a filesystem as containers really have it */
  static async create(place: "anywhere" | "disk" = "anywhere"): Promise<Work> {
    const dir = place === "disk" ? "/var/tmp" : WORK;
    const directory = await Deno.makeTempDir({ dir, prefix: "layerfs-platform-" });
    await Deno.chmod(directory, 0o755);
    return new Work(directory);
  }

  /** A path in the directory. */
  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Registers what is to be undone at the end, whatever happens; the last one comes first. */
  defer(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  /** Mounts a tmpfs of `size` (as mount takes it) and returns its path. */
  async tmpfs(name: string, size: string): Promise<string> {
    const path = this.path(name);
    await Deno.mkdir(path);
    await must(["mount", "-t", "tmpfs", "-o", `size=${size},mode=755`, "layerfs-platform", path]);
    this.defer(() => must(["umount", path]));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#undo.reverse()) {
      await undo().catch((error) => failures.push(error));
    }
    // Not Deno.remove: names in here need not be UTF-8. Never across a mount that is still there.
    await must(["rm", "-rf", "--one-file-system", this.directory]);
    if (failures.length > 0) throw new AggregateError(failures, "clean-up of a platform test");
  }
}

let images: Promise<string> | undefined;

/** The reference of a real image (image.sh says what is in them). */
export async function image(tag: "debian" | "base" | "bench" | "replaced"): Promise<string> {
  await (images ??= must([new URL("image.sh", import.meta.url).pathname, CACHE]));
  return `oci:${CACHE}/image:${tag}`;
}

let reference: Promise<Tree> | undefined;

/** The tree that `umoci unpack` made of the image "debian". */
export async function referenceTree(): Promise<Tree> {
  await image("debian");
  return await (reference ??= readTree(`${CACHE}/reference/rootfs`));
}

/** Fails with the first differences unless the tree at `path` is `expected`. */
export async function assertTree(path: string, expected: Tree): Promise<void> {
  const lines = differences(await readTree(path), expected);
  if (lines.length > 0) {
    throw new Error(`${path}: ${lines.length} differences:\n${lines.slice(0, 40).join("\n")}`);
  }
}

/** The program and flags of the task `layerfs` in deno.json, for a checkout at `root`. */
export async function layerfsCommand(root = REPOSITORY, deno = Deno.execPath()): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(`${REPOSITORY}/deno.json`));
  const tasks = (config as { tasks?: Record<string, string | { command: string }> }).tasks;
  const task = tasks?.layerfs;
  const command = (typeof task === "string" ? task : task?.command ?? "").trim().split(/\s+/);
  const program = "src/cli/program.ts";
  if (command[0] !== "deno" || command.at(-1) !== program) {
    throw new Error(`the task "layerfs" is "${command.join(" ")}", not "deno run … ${program}"`);
  }
  return [deno, ...command.slice(1, -1), `${root}/${program}`];
}

/** What a test reads of `create --json`. */
export interface Created {
  id: string;
  bundle: string;
  rootfs: string;
  driver: string;
  source: string;
  layers: { total: number; reused: number; applied: number };
  warnings: string[];
}

/** What a store has when nothing is in it. */
const EVERY_STORE = new Set([
  ...["blobs", "blobs/sha256", "blobs/sha512", "containers", "layers", "locks", "skeletons"],
  ...["staging", "views", "index.json", "index.lock", "names.lock", "oci-layout", "store.json"],
  "store.lock",
]);

/** layerfs with a store. */
export class Layerfs {
  /** @param driver the options that name it */
  constructor(
    readonly command: readonly string[],
    readonly store: string,
    readonly driver: readonly string[] = ["--driver", "directory"],
  ) {}

  /** layerfs of this checkout, as root, with a store in `work`. */
  static async inside(work: Work, driver?: readonly string[]): Promise<Layerfs> {
    return new Layerfs(await layerfsCommand(), work.path("store"), driver);
  }

  /** The whole command line for `args`. */
  argv(args: readonly string[]): string[] {
    return [...this.command, "--store", this.store, ...this.driver, ...args];
  }

  /** Runs layerfs, whatever its exit status. */
  run(args: readonly string[]): Promise<Outcome> {
    return run(this.argv(args));
  }

  /** `layerfs create --json ARGS…`, which must succeed. */
  async create(args: readonly string[]): Promise<Created> {
    return JSON.parse(await must(this.argv(["create", "--json", ...args])));
  }

  /** The names in the store, but for what every store has. */
  async contents(): Promise<string[]> {
    const script = `[ ! -e "$1" ] || find "$1" -mindepth 1 -printf '%P\\n'`;
    const names = (await must(["sh", "-c", script, "find", this.store])).split("\n");
    return names.filter((name) => name !== "" && !EVERY_STORE.has(name)).sort();
  }
}
