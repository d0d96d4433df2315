/**
 * A small pool of a test's own, to be filled to the last byte: a quota is full, too, but leaves the
 * pool space for what `zfs` itself writes.
 *
 * @module
 */

import { run } from "../../src/process.ts";

/** OpenZFS takes no device below 64 MiB. */
const BYTES = 96 * 1024 * 1024;

/** Runs a program that must succeed. */
async function must(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("env", argv);
  if (code === 0) return stdout;
  throw new Error(`${argv.join(" ")}: exit status ${code}: ${stderr}`);
}

/** A name for one. */
export function smallPoolName(): string {
  return `layerfs-test-small-${crypto.randomUUID().slice(0, 8)}`;
}

/** The pool, until it is disposed of. */
export class SmallPool implements AsyncDisposable {
  readonly name: string;
  readonly #directory: string;

  private constructor(name: string, directory: string) {
    this.name = name;
    this.#directory = directory;
  }

  /** Makes one in a file. */
  static async create(name: string = smallPoolName()): Promise<SmallPool> {
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "layerfs-small-" }));
    const file = `${directory}/disk`;
    await Deno.writeFile(file, new Uint8Array());
    await Deno.truncate(file, BYTES);
    await must("zpool", "create", "-o", "cachefile=none", "-m", "none", name, file);
    return new SmallPool(name, directory);
  }

  /** Writes until nothing more can be written. */
  async fill(): Promise<void> {
    const place = `${this.#directory}/ballast`;
    await must("zfs", "create", "-o", `mountpoint=${place}`, `${this.name}/ballast`);
    // What is on disk takes more than what was written; bytes that can be compressed take less.
    const fill =
      'for size in 1M 64k 4k; do dd if=/dev/urandom bs=$size of="$1/$size"; sync; done; :';
    await must("bash", "-c", fill, "fill", place);
  }

  /** Gives all space back. */
  async empty(): Promise<void> {
    await must("bash", "-c", RETRIED, "retried", "zfs", "destroy", "-r", `${this.name}/ballast`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must("bash", "-c", RETRIED, "retried", "zpool", "destroy", "-f", this.name);
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** What was unmounted a moment ago is still busy. */
const RETRIED = 'for try in {1..40}; do "$@" && exit; sleep 0.1; done; exit 1';
