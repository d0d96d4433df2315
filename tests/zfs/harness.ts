/**
 * What the tests on a real pool share: a store with a root dataset of its own in the pool that
 * LAYERFS_TEST_POOL names (see with_zfs_fuse.sh), and a record of every `zfs` that is started.
 *
 * @module
 */

import type { Digest } from "../../src/oci/digest.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import { run } from "../../src/process.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { ZfsDriver } from "../../src/store/zfs/zfs_driver.ts";

/** The pool that the tests may make datasets in. */
export const POOL: string = (() => {
  const pool = Deno.env.get("LAYERFS_TEST_POOL");
  if (pool !== undefined) return pool;
  throw new Error("LAYERFS_TEST_POOL names no pool; run this with tests/zfs/with_zfs_fuse.sh");
})();

/** Runs a program that must succeed, and returns what it printed. */
export async function must(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")}: exit status ${code}: ${stderr}`);
}

/** Runs `zfs`, which must succeed. */
export function zfs(...args: string[]): Promise<string> {
  return must("zfs", ...args);
}

/** The value of a property. */
export async function property(dataset: string, name: string): Promise<string> {
  return (await zfs("get", "-Hp", "-o", "value", name, dataset)).trim();
}

/** Names of a dataset, of all that is below it, and of all snapshots; empty where it is not. */
export async function datasets(root: string): Promise<string[]> {
  const { stdout } = await run("zfs", ["list", "-H", "-o", "name", "-t", "all", "-r", root]);
  return stdout.split("\n").filter((name) => name !== "").sort();
}

/** Whether this is zfs-fuse, which mounts clones at once and knows fewer properties. */
export async function isZfsFuse(): Promise<boolean> {
  // Not even `zfs version`.
  return (await run("zfs", ["version"])).code !== 0;
}

/** A ChainID made of a number. */
export function chainId(number: number): Digest {
  return `sha256:${number.toString(16).padStart(64, "0")}` as Digest;
}

/** A record for the layer of a number, on top of that of another. */
export function record(number: number, parent: number | null = null): LayerRecord {
  return {
    chainId: chainId(number),
    diffId: chainId(number + 0x1000),
    parent: parent === null ? null : chainId(parent),
    traits: { ...NO_TRAITS, fineTimes: number % 2 === 1 },
  };
}

/** A store with a driver, on a dataset of its own; all gone at the end of the test. */
export class Scratch implements AsyncDisposable {
  readonly #undo: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly store: string,
    readonly dataset: string,
    readonly driver: ZfsDriver,
  ) {}

  static async create(pool: string = POOL): Promise<Scratch> {
    const store = await Deno.realPath(await Deno.makeTempDir({ prefix: "layerfs zfs-" }));
    const dataset = `${pool}/t${crypto.randomUUID().slice(0, 8)}`;
    const scratch = new Scratch(store, dataset, new ZfsDriver(store, dataset));
    for (const name of ["staging", "containers"]) await Deno.mkdir(`${store}/${name}`);
    await scratch.driver.initialize();
    return scratch;
  }

  /** Registers what is to be undone at the end, whatever happens; the last one comes first. */
  defer(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  /** Makes a layer that has one file, named by the layer's number. */
  async layer(number: number, parent: number | null = null): Promise<void> {
    const below = parent === null ? null : record(parent);
    await using staged = await this.driver.prepareLayer(chainId(number), below, `s${number}`);
    await Deno.writeTextFile(`${staged.root}/${number}`, `${number}`);
    await staged.commit(record(number, parent));
  }

  /** A container's root filesystem that is to be made; its bundle is there. */
  async container(id: string, top: number | null) {
    const bundle = `${this.store}/containers/${id}`;
    await Deno.mkdir(bundle, { recursive: true });
    return { id, rootfs: `${bundle}/rootfs`, top: top === null ? null : chainId(top) };
  }

  /** Name of a layer's dataset. */
  layerDataset(number: number): string {
    return `${this.dataset}/layers/${chainId(number).slice("sha256:".length)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#undo.reverse()) await undo().catch((error) => failures.push(error));
    for (let attempt = 0;; attempt++) {
      const { code, stderr } = await run("zfs", ["destroy", "-R", this.dataset]);
      if (code === 0 || /does not exist/.test(stderr)) break;
      if (attempt === 40) failures.push(new Error(`zfs destroy -R ${this.dataset}: ${stderr}`));
      if (attempt === 40) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await must("rm", "-rf", "--one-file-system", this.store);
    if (failures.length > 0) throw new AggregateError(failures, "clean-up of a test on ZFS");
  }
}

/**
 * The calls of `zfs` that `work` makes, each as its arguments. Those of tests in other files, which
 * may run at the same time, do not name `dataset`.
 */
export async function callsOf(
  dataset: string,
  work: () => Promise<unknown>,
): Promise<string[][]> {
  const found = (await must("sh", "-c", "command -v zfs")).trim();
  if (!found.endsWith("tests/zfs/bin/zfs")) throw new Error("run this by deno task test:pool");
  const log = await Deno.makeTempFile({ prefix: "layerfs-calls-" });
  try {
    Deno.env.set("LAYERFS_ZFS_LOG", log);
    await work();
    const lines = (await Deno.readTextFile(log)).split("\n").slice(0, -1);
    return lines.filter((line) => line.includes(dataset))
      .map((line) => line.split("\t").slice(0, -1));
  } finally {
    Deno.env.delete("LAYERFS_ZFS_LOG");
    await Deno.remove(log);
  }
}
