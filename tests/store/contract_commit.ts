/**
 * The contract of drivers: a layer of a container's changes gives a container with the same tree.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { treeChanges } from "../../src/layer/tree_changes.ts";
import { packChanges } from "../../src/layer/pack_changes.ts";
import { packTree } from "../../src/layer/pack.ts";
import type { Traits } from "../../src/layer/traits.ts";
import type { ContainerRootfs } from "../../src/store/driver.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { bash, treeDifferences } from "./contract_compare.ts";
import type { ContractTest, Ground } from "./contract_ground.ts";
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
): Promise<Uint8Array> {
  const path = `${ground.scratch}/tar-${crypto.randomUUID()}`;
  const { scratch } = ground;
  await stack.see(async (root) => {
    const candidates = await ground.driver.changedPaths(container);
    const changes = await treeChanges(root, container.rootfs, candidates, { scratch });
    await packChanges(changes, path, { ...PACKING, scratch });
  });
  return await Deno.readFile(path);
}

async function randomTrees(ground: Ground): Promise<void> {
  const exactness = { digits: await precision(ground), links: true };
  const first = firstSeed();
  for (let seed = first; seed < first + TREES; seed++) {
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

export const COMMIT_TESTS: readonly ContractTest[] = [
  { name: "commit: random changes of random trees", run: randomTrees },
];
