/**
 * The contract of drivers: a layer of a container's changes gives a container with the same tree.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { treeChanges } from "../../src/layer/tree_changes.ts";
import { packChanges } from "../../src/layer/pack_changes.ts";
import { packTree } from "../../src/layer/pack.ts";
import type { Traits } from "../../src/layer/traits.ts";
import type { ContainerRootfs } from "../../src/store/driver.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { tarball } from "../fixtures/tar.ts";
import { CHANGED_LAYERS, CHANGES } from "./contract_changes.ts";
import { bash, treeDifferences } from "./contract_compare.ts";
import { type ContractTest, type Ground, isThinned } from "./contract_ground.ts";
import { randomNumbers, randomScript } from "./random_changes.ts";

/** Trees that are made, and how often each is changed. */
const TREES = 4;
const GENERATIONS = 2;

/** Of the blocks that end an archive. */
const END_BYTES = 1024;

const PACKING = { algorithm: "sha256", engine: "native", level: 0 } as const;

/** The seed of one run; LAYERFS_CONTRACT_SEED repeats it. */
function firstSeed(): number {
  const variable = "LAYERFS_CONTRACT_SEED";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const given = state === "granted" ? Deno.env.get(variable) : undefined;
  return given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
}

/** A stack of layers of which containers are made, whatever the driver keeps. */
class Stack {
  readonly layers: Uint8Array[] = [];
  #top: LayerRecord | null = null;
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** The same layers, on which others may come. */
  copy(): Stack {
    const copy = new Stack(this.#ground);
    copy.layers.push(...this.layers);
    copy.#top = this.#top;
    return copy;
  }

  /** @param tar a whole archive */
  async push(tar: Uint8Array): Promise<void> {
    const members = tar.subarray(0, -END_BYTES);
    this.layers.push(members);
    if (this.#ground.options.keepsLayers) {
      this.#top = await this.#ground.layer([members], this.#top);
    }
  }

  async container(id: string): Promise<ContainerRootfs> {
    const container = await this.#ground.container(id, this.#top);
    if (this.#top === null) await this.#fill(container.rootfs);
    return container;
  }

  /** Shows `read` the tree of the layers. */
  async see<T>(read: (root: string) => Promise<T>): Promise<T> {
    if (this.#top !== null) return await this.#ground.see(this.#top, read);
    const root = `${this.#ground.scratch}/lower-${crypto.randomUUID()}`;
    await Deno.mkdir(root, { mode: 0o755 });
    await this.#fill(root);
    return await read(root);
  }

  async #fill(root: string): Promise<void> {
    let traits: Traits | null = null;
    for (const members of this.layers) {
      traits = (await this.#ground.apply(root, [members], traits)).traits;
    }
  }
}

/** The tar of what is in `container` and not in the tree of `stack`. */
async function committed(
  ground: Ground,
  stack: Stack,
  container: ContainerRootfs,
  latest?: number,
): Promise<Uint8Array> {
  const path = `${ground.scratch}/tar-${crypto.randomUUID()}`;
  const { scratch } = ground;
  await stack.see(async (root) => {
    const candidates = await ground.driver.changedPaths(container);
    const changes = await treeChanges(root, container.rootfs, candidates, { scratch });
    await packChanges(changes, path, { ...PACKING, scratch, latest });
  });
  return await Deno.readFile(path);
}

async function randomTrees(ground: Ground): Promise<void> {
  const exactness = { digits: await precision(ground), links: true };
  const first = firstSeed();
  const trees = stride(ground) === 1 ? TREES : 1;
  for (let seed = first; seed < first + trees; seed++) {
    const random = randomNumbers(seed);
    const tree = `${ground.scratch}/tree-${seed}`;
    await Deno.mkdir(tree, { mode: 0o755 });
    await bash(tree, randomScript(random, 60, IS_ROOT));
    const stack = new Stack(ground);
    await packTree(tree, `${tree}.tar`, PACKING);
    await stack.push(await Deno.readFile(`${tree}.tar`));
    for (let generation = 0; generation < GENERATIONS; generation++) {
      const script = randomScript(random, 25, IS_ROOT);
      const container = await stack.container(`s${seed}-${generation}`);
      await bash(container.rootfs, script);
      await stack.push(await committed(ground, stack, container));
      const again = await stack.container(`s${seed}-${generation}-again`);
      const found = await treeDifferences(again.rootfs, container.rootfs, exactness);
      assertEquals(
        found,
        [],
        `LAYERFS_CONTRACT_SEED=${seed}, generation ${generation}:\n${script}`,
      );
    }
  }
}

/** Digits of a fraction of a second that survive, by the driver or the plain directory. */
function precision(ground: Ground): Promise<number> {
  return ground.options.keepsLayers ? ground.precision() : Promise.resolve(9);
}

/** Links that come, go, part and meet; directories that are emptied; the rest are CHANGES. */
const SCRIPTS: readonly string[] = [
  "ln two three",
  "ln two later/three; rm two",
  "cp -p two .t; mv .t two",
  "cp -p two .t; mv .t two; ln two three",
  "cp -p d/a d/a2; ln -f d/a d/a2",
  "ln -f d/b d/a; ln -f d/b e/x",
  "rm two; ln same two; touch -d @1000000000 same",
  "ln link other-link",
  "mkfifo p; ln p e/q",
  "ln -s nowhere p; ln p e/q; ln p d/q",
  "echo > p; ln p e/q; ln p d/q",
  "rm -r d/*",
  "rm -r d; mkdir -m 700 d",
  "rm -rf ./*",
  "mv d d2; mv e d; mv d2 e",
  "rm -r d; ln -s e d",
  "rm link; mkdir link; ln two link/two",
  "rm gone; mkdir gone; ln same gone/same",
  "mkdir -p n/e/w; ln two n/e/w/two; touch -d @7.000000001 n/e/w n/e n",
  String.raw`mkdir $'\xfe'; ln same $'\xfe/\xfd'; rm -r $'r\xffd'`,
];

/** Removes what no layer can have, and puts the time of its directory back. */
const WITHOUT_SOCKETS = "find . -type s -printf '%h\\0' -delete | " +
  "xargs --null --no-run-if-empty touch -d @1000000000";

/**
 * Where a container takes seconds, in an emulated machine or without layers, every fifth script is
 * tried; what packs them is the same everywhere.
 */
function stride({ options }: Ground): number {
  return options.keepsLayers && !isThinned() ? 1 : 5;
}

async function everyChange(ground: Ground): Promise<void> {
  const exactness = { digits: await precision(ground), links: true };
  const below = new Stack(ground);
  for (const members of CHANGED_LAYERS) await below.push(tarball(members));
  const scripts = CHANGES.filter(([, , , needs]) => needs !== "root" || IS_ROOT)
    .map(([, script]) => script);
  for (const [i, script] of [...scripts, ...SCRIPTS].entries()) {
    if (i % stride(ground) !== 0) continue;
    const container = await below.container(`c${i}`);
    await bash(container.rootfs, script);
    const stack = below.copy();
    await stack.push(await committed(ground, stack, container));
    await bash(container.rootfs, WITHOUT_SOCKETS);
    const again = await stack.container(`c${i}-again`);
    assertEquals(await treeDifferences(again.rootfs, container.rootfs, exactness), [], script);
    for (const { id } of [container, again]) await ground.drop(id);
  }
}

/** The same changes give the same bytes, whenever they were made. */
async function reproducible(ground: Ground): Promise<void> {
  const stack = new Stack(ground);
  for (const members of CHANGED_LAYERS) await stack.push(tarball(members));
  const script = "rm -r d; echo new > e/new; ln e/new e/other; chmod 700 later";
  const made: Uint8Array[] = [];
  for (const id of ["one", "other"]) {
    const container = await stack.container(id);
    await bash(container.rootfs, script);
    made.push(await committed(ground, stack, container, 1_100_000_000));
    await new Promise((resolve) => setTimeout(resolve, 1100));
  }
  assert(made[0]!.length > END_BYTES);
  assertEquals(made[0], made[1]);
}

async function whiteoutName(ground: Ground): Promise<void> {
  const stack = new Stack(ground);
  const container = await stack.container("one");
  await bash(container.rootfs, "mkdir d && echo > d/.wh.x");
  const error = await assertRejects(() => committed(ground, stack, container), LayerfsError);
  assertEquals(error.code, "unsupported");
  assertStringIncludes(error.message, '"d/.wh.x"');
}

export const COMMIT_TESTS: readonly ContractTest[] = [
  { name: "commit: every kind of change", run: everyChange },
  { name: "commit: the same bytes for the same changes", run: reproducible },
  { name: "commit: a name that begins with .wh. is refused", run: whiteoutName },
  { name: "commit: random changes of random trees", run: randomTrees },
];
