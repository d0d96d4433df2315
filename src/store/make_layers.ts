/**
 * Makes the layers of a stack that a store lacks, the base first, each under its lock.
 *
 * Where a layer is a directory with what it consists of itself, those whose turn it is not yet are
 * unpacked apart meanwhile, as far as nobody else is making them: their locks are taken before, where
 * they are free. Whoever holds a layer's lock waits for locks of layers below it only, so that no two
 * wait for each other.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { removeIfThere, syncToDisk } from "../files.ts";
import { LayerPipeline } from "../layer/pipeline.ts";
import { NO_TRAITS } from "../layer/traits.ts";
import type { Digest } from "../oci/digest.ts";
import type { Driver, StagedLayer } from "./driver.ts";
import type { LayerRecord } from "./layer_record.ts";
import type { FileLock } from "./lock.ts";
import type { Staging } from "./staging.ts";
import type { Store } from "./store.ts";
import { NOTHING_PROVIDED, type Provided, type StackedBlob, type Work } from "./work.ts";

/** A stack, the base first, some of whose layers are missing. */
export interface IncompleteStack {
  readonly layers: readonly StackedBlob[];
  /** Those that were found. */
  readonly found: ReadonlyMap<Digest, LayerRecord>;
  /** Where the skeleton of a layer is to be. */
  readonly skeletonPath: (chainId: Digest) => string;
}

/** Makes what is missing of a stack. @throws {LayerfsError} what is wrong with a layer */
export async function makeLayers(
  store: Store,
  stack: IncompleteStack,
  work: Work,
): Promise<Provided> {
  const mayBeApart = store.driver.keepsOwnFiles && stack.layers.length - stack.found.size > 1;
  await using apart = mayBeApart ? store.stage() : null;
  await using maker = new StackMaker(store, stack, apart, work);
  return await maker.run();
}

/** A layer that is there, and what it took. */
interface MadeLayer {
  readonly record: LayerRecord;
  readonly provided: Provided;
}

/** A layer that was there. */
const REUSED: Provided = { ...NOTHING_PROVIDED, reused: 1 };

class StackMaker implements AsyncDisposable {
  readonly #store: Store;
  readonly #driver: Driver;
  readonly #stack: IncompleteStack;
  readonly #missing: readonly StackedBlob[];
  readonly #work: Work;
  readonly #pipeline: LayerPipeline;
  /** Locks of layers whose turn it is not yet; null before they are taken. */
  #locks: Map<Digest, FileLock> | null = null;

  /** @param apart where layers may be unpacked apart; null for nowhere */
  constructor(store: Store, stack: IncompleteStack, apart: Staging | null, work: Work) {
    this.#store = store;
    this.#driver = store.driver;
    this.#stack = stack;
    this.#work = work;
    const { layers, found } = stack;
    this.#missing = layers.filter(({ chainId }) => !found.has(chainId));
    this.#pipeline = new LayerPipeline(this.#missing, {
      ...work,
      positions: this.#missing.map((layer) => layers.indexOf(layer)),
      total: layers.length,
      ...(apart === null ? {} : { apart: apartIn(apart) }),
    });
  }

  async run(): Promise<Provided> {
    let below: MadeLayer | null = null;
    let result = NOTHING_PROVIDED;
    for (const layer of this.#stack.layers) {
      const record = this.#stack.found.get(layer.chainId);
      const made: MadeLayer = record === undefined
        ? await this.#make(layer, below)
        : { record, provided: REUSED };
      below = made;
      result = sumOf(result, made.provided);
    }
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#pipeline[Symbol.asyncDispose]();
    } finally {
      for (const lock of this.#locks?.values() ?? []) lock[Symbol.dispose]();
    }
  }

  /** Applies one layer, unless another process has done so since we looked. */
  async #make(layer: StackedBlob, below: MadeLayer | null): Promise<MadeLayer> {
    const { chainId } = layer;
    using lock = await this.#lock(chainId);
    const other = (await this.#driver.findLayers([chainId])).get(chainId);
    if (other !== undefined) {
      this.#pipeline.skip();
      return { record: other, provided: REUSED };
    }
    this.#reserve(layer);
    const made = await this.#apply(layer, below);
    lock.remove();
    return made;
  }

  async #lock(chainId: Digest): Promise<FileLock> {
    const lock = this.#locks?.get(chainId);
    if (lock === undefined) return await this.#store.lockLayer(chainId, this.#work.signal);
    this.#locks!.delete(chainId);
    return lock;
  }

  /** Takes the locks of the layers on top of the first that is made here, as far as they are free. */
  #reserve(first: StackedBlob): void {
    if (!this.#pipeline.isApart || this.#locks !== null) return;
    const locks = new Map<Digest, FileLock>();
    this.#locks = locks;
    for (const { chainId } of this.#missing.slice(this.#missing.indexOf(first) + 1)) {
      const lock = this.#store.tryLockLayer(chainId);
      if (lock !== null) locks.set(chainId, lock);
    }
    this.#pipeline.allowApart((index) => locks.has(this.#missing[index]!.chainId));
  }

  async #apply(layer: StackedBlob, below: MadeLayer | null): Promise<MadeLayer> {
    const { chainId, diffId } = layer;
    const parent = below?.record ?? null;
    const follows = below?.provided.applied === 1;
    const own = await this.#pipeline.ownFiles(follows);
    await using staging = this.#store.stage();
    await using staged = await this.#driver.prepareLayer(
      chainId,
      parent,
      staging.name,
      own?.root,
    );
    const skeleton = own?.skeleton ?? `${staging.path}/skeleton`;
    const result = await this.#pipeline.makeTree({
      root: staged.root,
      scratch: staging.path,
      asRoot: Deno.uid() === 0,
      traits: parent?.traits ?? NO_TRAITS,
      onTop: parent !== null,
      follows,
      tells: this.#locks !== null && this.#locks.size > 0,
      ...(own === null ? {} : { own: staged.own! }),
    }, [skeleton]);
    const record = { chainId, diffId, parent: parent?.chainId ?? null, traits: result.traits };
    if (this.#work.signal.aborted) {
      throw new LayerfsError("interrupted", "Cannot commit: interrupted");
    }
    await this.#commit(staged, record, skeleton);
    const { compressed, uncompressed } = result.layers[0]!;
    const { warnings } = result;
    return { record, provided: { reused: 0, applied: 1, compressed, uncompressed, warnings } };
  }

  async #commit(staged: StagedLayer, record: LayerRecord, skeleton: string): Promise<void> {
    const place = this.#stack.skeletonPath(record.chainId);
    // After a loss of power, a name without its content would make the layer unverifiable.
    syncToDisk(skeleton);
    Deno.renameSync(skeleton, place);
    try {
      await staged.commit(record);
    } catch (error) {
      removeIfThere(place);
      throw error;
    }
  }
}

function apartIn({ path }: Staging) {
  return { scratch: path, asRoot: Deno.uid() === 0, hasSkeletons: true, isOneTree: false };
}

function sumOf(one: Provided, other: Provided): Provided {
  return {
    reused: one.reused + other.reused,
    applied: one.applied + other.applied,
    compressed: one.compressed + other.compressed,
    uncompressed: one.uncompressed + other.uncompressed,
    warnings: [...one.warnings, ...other.warnings],
  };
}
