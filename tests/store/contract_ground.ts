/**
 * What the tests of the driver contract stand on: a store with a driver, and short ways to make
 * layers and containers in it as LayerFS does.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { ContainerRootfs, Driver, NewRootfs, StagedLayer } from "../../src/store/driver.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { removeTree } from "../../src/store/remove_tree.ts";
import { digestOf } from "../fixtures/image.ts";
import { tarball } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { bash, timeDigits } from "./contract_compare.ts";

/** A driver with an empty store of its own. */
export interface DriverUnderTest {
  readonly driver: Driver;
  /** Absolute path of the store, an empty directory before the driver is initialized. */
  readonly store: string;
  /** What the driver has outside of the store, such as datasets, by name. */
  readonly outside?: () => Promise<string[]>;
  /** Removes all of it. */
  readonly dispose: () => Promise<void>;
}

/** What a driver does in its own way. */
export interface ContractOptions {
  /** Whether it keeps layers: `driver.keepsLayers`, to be known before there is a driver. */
  readonly keepsLayers: boolean;
  /** Whether `driver.hasQuota`. */
  readonly hasQuota: boolean;
  /** Whether root filesystems are mounts. */
  readonly mountsRootfs: boolean;
  /** Whether root filesystems are kept outside of bundles. */
  readonly keepsRootfsOutside: boolean;
  /** Whether names of one file in different layers stay names of one file. */
  readonly keepsLowerHardlinks: boolean;
  /** Whether it tells itself where a container has changed, so that the trees are not walked. */
  readonly tellsChanges: boolean;
  /** Layers of the largest stack; 200 where it is absent. LAYERFS_CONTRACT_LAYERS overrules it. */
  readonly layers?: number;
  /** Why nothing can be tested here; absent where it can. */
  readonly skip?: string;
}

/** One test of the contract. */
export interface ContractTest {
  readonly name: string;
  /** Whether it takes root; as an ordinary user it is skipped. */
  readonly asRoot?: boolean;
  /** What of {@linkcode ContractOptions} it takes; without that it is not registered. */
  readonly needs?: "keepsLayers" | "hasQuota" | "mountsRootfs";
  readonly run: (ground: Ground) => Promise<void>;
}

/** Layers of the largest stack: more than the 128 that others stop at, unless told otherwise. */
export function stackHeight({ layers = 200 }: ContractOptions): number {
  return layersOverruled() ?? layers;
}

/** Whether a part of what is tried must do, as everything takes ten times as long here. */
export function isThinned(): boolean {
  return layersOverruled() !== undefined;
}

function layersOverruled(): number | undefined {
  const variable = "LAYERFS_CONTRACT_LAYERS";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const value = state === "granted" ? Deno.env.get(variable) : undefined;
  return value === undefined ? undefined : Number(value);
}

/** A layer that is applied and not committed. */
export interface Prepared extends AsyncDisposable {
  readonly record: LayerRecord;
  readonly staged: StagedLayer;
  /** Name of its staging directory. */
  readonly name: string;
}

/** Bytes that do not compress, and are other ones each time. */
export function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65536));
  }
  return bytes;
}

/** A digest that nothing has. */
export function unknownDigest(seed = ""): Digest {
  return digestOf(new TextEncoder().encode(`nothing ${seed}`)) as Digest;
}

/** A plain directory to which the same layers are applied, one after another. */
export class Flat {
  readonly root: string;
  #traits: Traits | null = null;

  constructor(readonly ground: Ground) {
    this.root = `${ground.scratch}/flat-${crypto.randomUUID()}`;
    Deno.mkdirSync(this.root, { mode: 0o755 });
  }

  async apply(members: readonly Uint8Array[]): Promise<void> {
    this.#traits = (await this.ground.apply(this.root, members, this.#traits)).traits;
  }
}

export class Ground implements AsyncDisposable {
  readonly driver: Driver;
  readonly store: string;
  readonly options: ContractOptions;
  /** A directory for tar files and plain trees, not in the store. */
  readonly scratch: string;
  readonly #test: DriverUnderTest;
  readonly #layers: Digest[] = [];
  readonly #containers = new Map<string, ContainerRootfs>();
  #before: string[] = [];
  #precision: Promise<number> | undefined;

  private constructor(test: DriverUnderTest, scratch: string, options: ContractOptions) {
    this.driver = test.driver;
    this.store = test.store;
    this.scratch = scratch;
    this.options = options;
    this.#test = test;
  }

  /** Opens a store and makes in it what LayerFS makes. */
  static async open(
    open: () => Promise<DriverUnderTest>,
    options: ContractOptions,
  ): Promise<Ground> {
    const test = await open();
    const scratch = await Deno.makeTempDir({ prefix: "layerfs-contract-" });
    const ground = new Ground(test, scratch, options);
    for (const name of ["staging", "containers"]) {
      await Deno.mkdir(`${test.store}/${name}`, { mode: 0o700 });
    }
    await test.driver.initialize();
    ground.#before = await ground.inventory();
    return ground;
  }

  /**
   * Everything that there is: in the store, and what the driver has elsewhere. Directories that a
   * driver makes once and keeps are left out: those right in the store, and hidden ones in these.
   */
  async inventory(): Promise<string[]> {
    const listing = await bash(this.store, "find . -mindepth 1 -printf '%y %P\\n' | sort");
    const inside = listing.split("\n").filter((name) => name !== "");
    const made = inside.filter((name) => !/^d [^/]+(?:\/\.[^/]+)?$/.test(name));
    return [...made, ...await this.#test.outside?.() ?? []];
  }

  /** Digits of the fraction of a second that the driver's filesystem keeps. */
  precision(): Promise<number> {
    return this.#precision ??= (async () => {
      const name = this.stagingName();
      try {
        await using staged = await this.driver.prepareLayer(unknownDigest("time"), null, name);
        return await timeDigits(staged.root);
      } finally {
        await removeTree(`${this.store}/staging/${name}`);
      }
    })();
  }

  /** Makes a staging directory, as LayerFS does, and returns its name. */
  stagingName(): string {
    const name = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    Deno.mkdirSync(`${this.store}/staging/${name}`, { mode: 0o700 });
    return name;
  }

  /** Applies one layer to a directory. @param below traits of the layers in it; null for none */
  async apply(
    root: string,
    members: readonly Uint8Array[],
    below: Traits | null,
  ): Promise<{ diffId: Digest; traits: Traits }> {
    const scratch = await Deno.makeTempDir({ dir: this.scratch });
    try {
      const tar = tarball(members);
      const diffId = digestOf(tar) as Digest;
      await Deno.writeFile(`${scratch}/tar`, tar);
      const location = { path: `${scratch}/tar`, offset: 0, length: tar.length };
      const result = await applyLayers(
        {
          root,
          scratch,
          layers: [{ content: location, digest: diffId, size: tar.length, diffId }],
          engine: "native",
          asRoot: IS_ROOT,
          traits: below ?? NO_TRAITS,
          onTop: below !== null,
        },
        new AbortController().signal,
        () => {},
      );
      return { diffId, traits: result.traits };
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  }

  /** Prepares and applies a layer. @param chainId the right one where it is absent */
  async prepare(
    members: readonly Uint8Array[],
    parent: LayerRecord | null = null,
    chainId?: Digest,
  ): Promise<Prepared> {
    const diffId = digestOf(tarball(members)) as Digest;
    const below = parent === null ? null : parent.chainId;
    const chain = `${below} ${diffId}`;
    const id = chainId ??
      (below === null ? diffId : digestOf(new TextEncoder().encode(chain)) as Digest);
    const name = this.stagingName();
    const staged = await this.driver.prepareLayer(id, parent, name);
    const { traits } = await this.apply(staged.root, members, parent?.traits ?? null);
    return {
      record: { chainId: id, diffId, parent: below, traits },
      staged,
      name,
      [Symbol.asyncDispose]: async () => {
        await staged[Symbol.asyncDispose]();
        await removeTree(`${this.store}/staging/${name}`);
      },
    };
  }

  /** Makes a layer; removed with the ground. */
  async layer(
    members: readonly Uint8Array[],
    parent: LayerRecord | null = null,
    chainId?: Digest,
  ): Promise<LayerRecord> {
    await using prepared = await this.prepare(members, parent, chainId);
    await prepared.staged.commit(prepared.record);
    this.#layers.push(prepared.record.chainId);
    return prepared.record;
  }

  /** Makes layers one on top of another, and returns the top. */
  async stack(...layers: readonly (readonly Uint8Array[])[]): Promise<LayerRecord> {
    let top: LayerRecord | null = null;
    for (const members of layers) top = await this.layer(members, top);
    if (top === null) throw new Error("a stack has layers");
    return top;
  }

  /** The root filesystem that a container would have; its bundle is made. */
  rootfsOf(id: string, top: LayerRecord | null): ContainerRootfs {
    const bundle = `${this.store}/containers/${id}`;
    Deno.mkdirSync(bundle, { recursive: true, mode: 0o700 });
    const container = { id, rootfs: `${bundle}/rootfs`, top: top?.chainId ?? null };
    this.#containers.set(id, container);
    return container;
  }

  /** Makes a container; removed with the ground. */
  async container(
    id: string,
    top: LayerRecord | null,
    more: Pick<NewRootfs, "quota"> = {},
  ): Promise<ContainerRootfs> {
    const container = this.rootfsOf(id, top);
    await this.driver.createRootfs({ ...container, ...more });
    return container;
  }

  /** Removes a container that {@linkcode Ground.container} made. */
  async drop(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) throw new Error(`there is no container ${id}`);
    await this.driver.removeRootfs(container);
    await removeTree(`${this.store}/containers/${id}`);
    this.#containers.delete(id);
  }

  /** Shows the tree of a stack: a view of it, or a container's copy to those who cannot mount. */
  async see<T>(top: LayerRecord, look: (root: string) => Promise<T>): Promise<T> {
    if (IS_ROOT) {
      const root = await this.driver.mountLayer(top.chainId);
      try {
        return await look(root);
      } finally {
        await this.driver.unmountLayer(top.chainId);
      }
    }
    const container = await this.container(`see-${crypto.randomUUID().slice(0, 8)}`, top);
    try {
      return await look(container.rootfs);
    } finally {
      await this.driver.removeRootfs(container);
    }
  }

  /** Removes all that was made; after that everything is as it was before. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const container of this.#containers.values()) {
        await this.driver.removeRootfs(container);
        await removeTree(`${this.store}/containers/${container.id}`);
      }
      for (const chainId of this.#layers.reverse()) {
        await this.driver.unmountLayer(chainId);
        await this.driver.removeLayer(chainId);
      }
      assertEquals(await this.inventory(), this.#before);
    } finally {
      await this.#test.dispose();
      await removeTree(this.scratch);
    }
  }
}
