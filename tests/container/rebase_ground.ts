/**
 * What the tests of rebase stand on: a store with a driver, and images made of trees that scripts of
 * bash make of one another.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { createContainer, type CreateResult } from "../../src/container/create.ts";
import { fsck } from "../../src/container/fsck.ts";
import { NO_OVERRIDES, type Overrides } from "../../src/container/overrides.ts";
import { rebaseContainer, type RebaseResult, type Settlement } from "../../src/container/rebase.ts";
import { LayerfsError } from "../../src/errors.ts";
import { packTree } from "../../src/layer/pack.ts";
import type { DriverName } from "../../src/store/driver.ts";
import { imageLayout, type Json } from "../fixtures/image.ts";
import { differences, type Field, readTree, type Tree } from "../platform/compare.ts";
import { bash, timeDigits } from "../store/contract_compare.ts";

/** Which store the tests make, and how they start layerfs in another process. */
export interface RebaseStore {
  readonly driver: DriverName;
  /** A name for a dataset that is not there, and goes with what is in it. */
  readonly dataset?: string;
  /** Directory for the store; the usual one for temporary files where it is absent. */
  readonly dir?: string;
  /** Program, with its first arguments, that starts Deno. */
  readonly deno: readonly [string, ...string[]];
  readonly dispose?: () => Promise<void>;
}

/** What {@linkcode RebaseGround.image} may be told. */
export interface ImageOptions {
  /** The config's inner `config`. */
  readonly run?: Json;
}

const PACKING = { algorithm: "sha256", engine: "native", level: 0 } as const;

/** The error that something ends with. */
export async function refusal(action: () => Promise<unknown>): Promise<LayerfsError> {
  return await assertRejects<LayerfsError>(action, LayerfsError);
}

export class RebaseGround implements AsyncDisposable {
  readonly path: string;
  readonly options: RebaseStore;
  readonly work;
  #count = 0;

  constructor(options: RebaseStore) {
    this.options = options;
    const { driver, dataset, dir } = options;
    this.path = Deno.makeTempDirSync({ prefix: "layerfs-rebase-", ...(dir ? { dir } : {}) });
    this.work = {
      store: `${this.path}/store`,
      driver,
      ...(dataset === undefined ? {} : { dataset }),
      engine: "native",
      signal: new AbortController().signal,
      onProgress: () => {},
    } as const;
  }

  /** A tree that `script` makes, of a copy of `from` where that is given. */
  async tree(script: string, from?: string): Promise<string> {
    const tree = `${this.path}/tree-${this.#count++}`;
    if (from === undefined) await Deno.mkdir(tree, { mode: 0o755 });
    else await bash(this.path, `cp -a "${from}" "${tree}"`);
    await bash(tree, script);
    return tree;
  }

  /** An image of one layer with a tree; the reference. */
  async image(tree: string, options: ImageOptions = {}): Promise<string> {
    return this.layers([await this.tar(tree)], options);
  }

  /** The layer of a tree. */
  async tar(tree: string): Promise<Uint8Array<ArrayBuffer>> {
    const tar = `${this.path}/tar-${this.#count++}`;
    await packTree(tree, tar, PACKING);
    const bytes = await Deno.readFile(tar);
    await Deno.remove(tar);
    return bytes;
  }

  /** An image of layers, the base first; the reference. */
  layers(tars: readonly Uint8Array<ArrayBuffer>[], { run }: ImageOptions = {}): string {
    const dir = `${this.path}/image-${this.#count++}`;
    imageLayout(dir, { layers: tars.map((tar) => ({ tar })), run: { Cmd: ["sh"], ...run } });
    return `oci:${dir}`;
  }

  async create(
    image: string,
    name: string,
    more: {
      overrides?: Partial<Overrides>;
      bundle?: string;
      command?: string[];
      store?: string;
    } = {},
  ): Promise<CreateResult> {
    const { overrides = {}, command = [], ...rest } = more;
    const platform = "linux/amd64";
    const all = { ...NO_OVERRIDES, ...overrides };
    return await createContainer({
      ...this.work,
      ...rest,
      image,
      name,
      platform,
      overrides: all,
      command,
    });
  }

  rebase(id: string, image: string, settlement: Settlement = "fail"): Promise<RebaseResult> {
    return rebaseContainer({ ...this.work, id, image, settlement });
  }

  /** Starts a rebase in a process of its own, under the permissions that deno.json names. */
  start(id: string, image: string, env: Readonly<Record<string, string>> = {}): Deno.ChildProcess {
    const { driver, dataset, deno: [program, ...first] } = this.options;
    const [mod, config] = ["mod.ts", "deno.json"].map((name) => {
      return new URL(`../../${name}`, import.meta.url).pathname;
    }) as [string, string];
    const which = ["--driver", driver, ...(dataset === undefined ? [] : ["--dataset", dataset])];
    const flags = ["--quiet", "--no-check", "-P=rebase", "--config", config];
    const args = ["rebase", "--store", this.work.store, ...which, id, image];
    return new Deno.Command(program, {
      args: [...first, "run", ...flags, mod, ...args],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** What is in a tree, with times as exact as the store keeps them. */
  async read(root: string): Promise<Tree> {
    const tree = await readTree(root);
    // zfs-fuse keeps whole seconds.
    const digits = this.options.driver === "zfs" ? 0 : await timeDigits(this.work.store);
    for (const entry of tree.values()) {
      const [seconds = "", fraction = ""] = entry.mtime.split(".");
      entry.mtime = `${seconds}.${fraction.slice(0, digits)}`;
    }
    return tree;
  }

  /** Differences between two trees, but in some fields. */
  async differences(
    actual: string,
    expected: string | Tree,
    ignore: readonly Field[] = [],
  ): Promise<string[]> {
    const wanted = typeof expected === "string" ? await this.read(expected) : expected;
    return differences(await this.read(actual), wanted, { ignore });
  }

  /** fsck finds nothing; nothing is left of the work. */
  async assertClean(allowed: readonly string[] = []): Promise<void> {
    const { problems } = await fsck({ ...this.work, deep: false, repair: false });
    assertEquals(problems.filter(({ kind }) => !allowed.includes(kind)), []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const unmount = 'findmnt --raw --noheadings --output TARGET | grep "^$PWD/" | tac | ' +
      "xargs --no-run-if-empty --max-args=1 umount --lazy";
    if (this.options.driver === "overlay") await bash(this.path, `${unmount} || true`);
    await this.options.dispose?.();
    await Deno.remove(this.path, { recursive: true });
  }
}
