/**
 * A store of the overlay driver, driven as LayerFS drives it: layers are applied from tar archives
 * by the real worker, or put there ready-made.
 *
 * @module
 */

import { applyLayers } from "../../src/layer/apply_layers.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { layerName, type LayerRecord } from "../../src/store/layer_record.ts";
import { OverlayDriver } from "../../src/store/overlay/overlay_driver.ts";
import { Staging } from "../../src/store/staging.ts";
import { digestOf } from "../fixtures/image.ts";
import { tarball } from "../fixtures/tar.ts";
import { must, type Work } from "./harness.ts";

/** The digest of a name, to stand for the ChainID of a layer. */
export function chainIdOf(name: string): Digest {
  return digestOf(new TextEncoder().encode(name)) as Digest;
}

/** A container as a driver knows it, and its bundle. */
export interface TestContainer {
  readonly id: string;
  readonly rootfs: string;
  readonly bundle: string;
  readonly top: Digest | null;
}

export class OverlayStore {
  readonly path: string;
  readonly driver: OverlayDriver;
  readonly #work: Work;
  readonly #records = new Map<Digest, LayerRecord>();

  private constructor(work: Work, path: string) {
    this.#work = work;
    this.path = path;
    this.driver = new OverlayDriver(path);
  }

  /** Makes one in `work`; what it has mounted is unmounted at the end. */
  static async create(work: Work, path = work.path("store")): Promise<OverlayStore> {
    const store = await OverlayStore.plain(work, path);
    await store.driver.initialize();
    return store;
  }

  /** The same, but the driver does not look at whether it can be used. */
  static async plain(work: Work, path: string): Promise<OverlayStore> {
    for (const name of ["staging", "containers", "layers", "views"]) {
      await Deno.mkdir(`${path}/${name}`, { recursive: true });
    }
    return new OverlayStore(work, path);
  }

  /** A staging directory. */
  stage(): Staging {
    return Staging.create(`${this.path}/staging`);
  }

  /** The record of a layer that was added. */
  record(chainId: Digest | null): LayerRecord | null {
    return chainId === null ? null : this.#records.get(chainId) ?? null;
  }

  /** The directory with a layer's own files. */
  diff(chainId: Digest): string {
    return `${this.path}/layers/${layerName(chainId)}/diff`;
  }

  /** Applies a layer of these tar members on top of `parent`, and commits it. */
  async add(name: string, parent: Digest | null, members: readonly Uint8Array[]): Promise<Digest> {
    const chainId = chainIdOf(name);
    const below = this.record(parent);
    await using staging = this.stage();
    await using staged = await this.driver.prepareLayer(chainId, below, staging.name);
    const bytes = tarball(members);
    const blob = `${staging.path}/blob`;
    await Deno.writeFile(blob, bytes);
    const diffId = digestOf(bytes) as Digest;
    const { traits } = await applyLayers(
      {
        root: staged.root,
        scratch: staging.path,
        layers: [{
          content: { path: blob, offset: 0, length: bytes.length },
          digest: null,
          size: bytes.length,
          diffId,
        }],
        engine: "wasm",
        asRoot: true,
        traits: below?.traits ?? NO_TRAITS,
        onTop: below !== null,
      },
      new AbortController().signal,
      () => {},
    );
    await staged.commit(this.#keep(chainId, diffId, parent, traits));
    return chainId;
  }

  /** Puts a layer with one file, named and holding its number, where it would be after a commit. */
  async put(number: number, parent: Digest | null): Promise<Digest> {
    const chainId = chainIdOf(`put ${number}`);
    const record = this.#keep(chainId, chainId, parent, NO_TRAITS);
    await Deno.mkdir(this.diff(chainId), { recursive: true });
    await Deno.writeTextFile(`${this.diff(chainId)}/${number}`, `${number}`);
    const json = JSON.stringify({ version: 1, ...record, bytes: 1 });
    await Deno.writeTextFile(`${this.diff(chainId)}/../layer.json`, json);
    return chainId;
  }

  /** A container's bundle and what a driver is told of it. The driver has yet to make it. */
  async bundle(id: string, top: Digest | null, parent?: string): Promise<TestContainer> {
    const bundle = `${parent ?? `${this.path}/containers`}/${id}`;
    await Deno.mkdir(bundle);
    const container = { id, bundle, rootfs: `${bundle}/rootfs`, top };
    this.#work.defer(() => this.driver.removeRootfs(container));
    return container;
  }

  /** A container, made and mounted. */
  async container(id: string, top: Digest | null, parent?: string): Promise<TestContainer> {
    const container = await this.bundle(id, top, parent);
    await this.driver.createRootfs(container);
    return container;
  }

  /** A layer's view, which is unmounted at the end. */
  async view(chainId: Digest): Promise<string> {
    this.#work.defer(() => this.driver.unmountLayer(chainId));
    return await this.driver.mountLayer(chainId);
  }

  #keep(chainId: Digest, diffId: Digest, parent: Digest | null, traits: Traits): LayerRecord {
    const record = { chainId, diffId, parent, traits };
    this.#records.set(chainId, record);
    return record;
  }
}

/** The mounts at or below `directory`, by an own look at the kernel's table. */
export async function mountsIn(directory: string): Promise<string[]> {
  const script = String.raw`while read -r _ _ _ _ target _; do printf '%b\n' "$target"; done \
    </proc/self/mountinfo`;
  const targets = (await must(["bash", "-c", script])).split("\n");
  return targets.filter((target) => target === directory || target.startsWith(`${directory}/`));
}

/** Mode, owner, time and extended attributes of one directory, overlayfs's own left out. */
export async function attributesOf(path: string): Promise<string> {
  const stat = await must(["stat", "--format=%f %u:%g %y", path]);
  const dump = ["--absolute-names", "--dump", "--match=-", "--encoding=hex"];
  const xattrs = (await must(["getfattr", ...dump, path])).split("\n");
  const kept = xattrs.filter((line) => /^[^#]/.test(line) && !/^trusted\.overlay\./.test(line));
  return stat + kept.sort().join("\n");
}
