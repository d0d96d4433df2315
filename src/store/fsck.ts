/**
 * Whether names, records, datasets, mounts and contents of a store agree, and what can be mended.
 *
 * Mending never loses what somebody may want: a root filesystem whose record is gone gets a new
 * record, a record whose root filesystem is gone, and not only renamed, gets a fresh clone. Only what
 * cannot be of use to anybody is removed: litter, layers that are not whole, or altered and needed by
 * nothing (they are applied again when an image needs them), mounts in the store that belong to
 * nothing.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { exists } from "../files.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { check, run } from "../process.ts";
import { isClaimed, ROOTFS } from "./claim.ts";
import { checkContents } from "./check_contents.ts";
import { digestFile } from "./digest_file.ts";
import type { ContainerRootfs, Strays } from "./driver.ts";
import type { FsckResult, Problem, ProblemKind } from "./fsck_report.ts";
import { claimedTops, litterOf } from "./gc.ts";
import { ImageStore } from "./images.ts";
import { layerName, layerOfName, type StoredLayer } from "./layer_record.ts";
import { stackOf } from "./layer_stack.ts";
import { mendLayer } from "./mend_layer.ts";
import { describeMount, type ListedMount, listMounts } from "./mounts.ts";
import type { Store } from "./store.ts";

/** What fsck is to know of the containers, and to do for them. */
export interface FsckContainers {
  readonly containers: readonly ContainerRootfs[];
  /** Records that cannot be read. */
  readonly damaged: readonly { readonly id: string; readonly message: string }[];
  /** Ids whose names lead to no record. */
  readonly unrecorded: readonly string[];
  /** Writes a new record for a root filesystem that has none. */
  readonly restoreRecord: (container: ContainerRootfs) => Promise<void>;
}

/** How to check. */
export interface FsckOptions {
  /** Reads every file of every layer, and every blob. */
  readonly deep: boolean;
  /** Mends what can be mended. */
  readonly repair: boolean;
  /** What computes digests. */
  readonly engine: DigestEngine;
  /** Ends the work. */
  readonly signal: AbortSignal;
}

/**
 * Checks a store.
 *
 * @param store opened exclusively
 */
export async function checkStore(
  store: Store,
  known: FsckContainers,
  options: FsckOptions,
): Promise<FsckResult> {
  return await new Fsck(store, known, options).run();
}

class Fsck {
  readonly #store: Store;
  readonly #known: FsckContainers;
  readonly #options: FsckOptions;
  readonly #problems: Problem[] = [];

  constructor(store: Store, known: FsckContainers, options: FsckOptions) {
    this.#store = store;
    this.#known = known;
    this.#options = options;
  }

  async run(): Promise<FsckResult> {
    const { driver } = this.#store;
    await this.#missingDatasets();
    // First, so that nothing of what is swept is looked at.
    const hasLitter = await this.#litter();
    const strays = await driver.listStrays();
    await this.#rootfs(strays.containers);
    await this.#brokenLayers(strays.brokenLayers);
    const layers = await this.#layers(await driver.listLayers());
    await this.#mounts(layers, hasLitter && !this.#options.repair);
    const images = await this.#images();
    const contents = this.#options.deep ? await this.#contents(layers) : 0;
    return {
      checked: {
        layers: layers.length,
        contents,
        containers: this.#known.containers.length,
        ...images,
      },
      problems: this.#problems,
      waiting: strays.waiting,
    };
  }

  /** Notes a problem, and mends it with `repair` where that was asked for. */
  async #note(
    kind: ProblemKind,
    subject: string,
    detail: string,
    repair?: () => Promise<void> | void,
  ): Promise<void> {
    if (!this.#options.repair || repair === undefined) {
      this.#problems.push({ kind, subject, detail, repaired: false });
      return;
    }
    try {
      await repair();
      this.#problems.push({ kind, subject, detail, repaired: true });
    } catch (error) {
      if (!(error instanceof LayerfsError) || error.code === "interrupted") throw error;
      const more = `${detail}; it could not be mended: ${error.message}`;
      this.#problems.push({ kind, subject, detail: more, repaired: false });
    }
  }

  /** Tells of what the driver cannot do without. What is looked at next may need it: an error then. */
  async #missingDatasets(): Promise<void> {
    const { driver } = this.#store;
    const detail = "the store was made with it; --repair makes an empty one";
    for (const name of await driver.findMissing()) {
      await this.#note("missing-dataset", name, detail, () => driver.initialize());
    }
  }

  /** Returns whether there was any. */
  async #litter(): Promise<boolean> {
    const { driver } = this.#store;
    const known = new Set<string>();
    // Of removed layers, each is litter once the one on top of it has gone.
    for (;;) {
      const litter = (await this.#findLitter()).filter((name) => !known.has(name));
      for (const name of litter) {
        known.add(name);
        await this.#note("litter", name, "a process that died has left it", async () => {
          await this.#store.sweep();
          await driver.sweep(name);
          const directory = `${this.#store.path}/staging/${name}`;
          if (exists(directory)) {
            throw new LayerfsError("busy", `Cannot sweep "${directory}": it is in use`);
          }
        });
      }
      if (litter.length === 0 || !this.#options.repair) return known.size > 0;
    }
  }

  async #findLitter(): Promise<string[]> {
    const { staging } = await this.#store.driver.survey();
    return litterOf(this.#store, staging);
  }

  /** Compares records with root filesystems. */
  async #rootfs(strays: Strays["containers"]): Promise<void> {
    const { containers, damaged, unrecorded, restoreRecord } = this.#known;
    for (const { id, message } of damaged) await this.#note("damaged-record", id, message);
    const known = new Set([...containers, ...damaged].map(({ id }) => id));
    const isNobodys = ({ id, rootfs }: ContainerRootfs) =>
      !known.has(id) && !isClaimed(dirname(rootfs), this.#store.staging);
    const lone = strays.filter(isNobodys);
    for (const stray of lone) {
      const detail = `there is a root filesystem for "${stray.rootfs}", and no record`;
      await this.#note("missing-record", stray.id, detail, () => restoreRecord(stray));
    }
    for (const id of unrecorded.filter((id) => !lone.some((stray) => stray.id === id))) {
      const name = `${this.#store.containers}/${id}`;
      const detail =
        `"${name}" leads to no bundle with a record; mount the filesystem that it is ` +
        "on, or remove it by hand if nothing in it is wanted";
      await this.#note("damaged-record", id, detail);
    }
    await this.#missingRootfs(containers);
  }

  async #missingRootfs(containers: readonly ContainerRootfs[]): Promise<void> {
    const { driver } = this.#store;
    const states = await driver.rootfsStates(containers);
    // One that is being replaced is elsewhere, until the next command puts it into its place.
    const isMissing = ({ id, rootfs }: ContainerRootfs) =>
      !states.has(id) && !isClaimed(dirname(rootfs), this.#store.staging);
    const missing = containers.filter(isMissing);
    const renamed = missing.length === 0 ? new Map() : await driver.findRenamed(missing);
    for (const container of missing) {
      const command = renamed.get(container.id);
      const canClone = command === undefined && driver.keepsLayers && container.top !== null;
      const state = command !== undefined
        ? `has another name: "${command}"`
        : canClone
        ? "is not; a new clone has none of its changes"
        : "is not; remove the container";
      const detail = `its record is there, its root filesystem ${state}`;
      const repair = canClone ? () => driver.createRootfs(container) : undefined;
      await this.#note("missing-rootfs", container.id, detail, repair);
    }
  }

  async #brokenLayers(broken: Strays["brokenLayers"]): Promise<void> {
    for (const { name, reason, isLitter } of broken) {
      await this.#note(isLitter ? "litter" : "broken-layer", name, reason, async () => {
        const chainId = layerOfName(name);
        if (chainId === null) {
          throw new LayerfsError("storage", `Cannot remove "${name}": layerfs gives no such name`);
        }
        await this.#store.driver.repairLayer(chainId);
      });
    }
  }

  /** Returns the layers that are whole; tells those that are not, and the containers with such. */
  async #layers(layers: readonly StoredLayer[]): Promise<StoredLayer[]> {
    const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
    /** The first layer of a stack that is missing; null where none is. */
    const missingBelow = (top: Digest): Digest | null => {
      const lowest = [...stackOf(top, byId)].at(-1);
      return lowest === undefined ? top : lowest.parent;
    };
    for (const { id, top } of this.#store.driver.rootfsNeedsLayers ? this.#known.containers : []) {
      const missing = top === null ? null : missingBelow(top);
      if (missing === null) continue;
      const detail = `it needs layer ${missing}; a create or mount of its image makes that anew`;
      await this.#note("missing-layer", id, detail);
    }
    const whole: StoredLayer[] = [];
    for (const layer of layers) {
      const missing = missingBelow(layer.chainId);
      if (missing === null) whole.push(layer);
      else await this.#note("broken-layer", layer.chainId, `layer ${missing} below it is missing`);
    }
    return whole;
  }

  /**
   * Looks for mounts below the store that are neither a root filesystem nor a view.
   *
   * @param litterStays whether views may be those of layers in the making that died
   */
  async #mounts(layers: readonly StoredLayer[], litterStays: boolean): Promise<void> {
    const store = this.#store.path;
    const litter = [`${store}/staging/`, ...litterStays ? [`${store}/views/`] : []];
    const expected = new Set([
      ...this.#known.containers.map(({ rootfs }) => rootfs),
      ...[...this.#known.damaged.map(({ id }) => id), ...this.#known.unrecorded]
        .map((id) => `${this.#store.containers}/${id}/${ROOTFS}`),
      ...layers.map(({ chainId }) => `${store}/views/${layerName(chainId)}`),
    ]);
    const mounts = await listMounts();
    await this.#foreignMounts(mounts);
    const below = mounts.map(({ target }) => target)
      .filter((target) => target === store || target.startsWith(`${store}/`));
    for (const mount of below) {
      // Those of work that was killed go with its litter.
      if (isClaimed(dirname(mount), this.#store.staging)) continue;
      const isExpected = mount === store || expected.has(mount) || this.#isBelowContainer(mount);
      if (isExpected || litter.some((place) => mount.startsWith(place))) continue;
      const detail = "it belongs to no container and no layer";
      // Whatever else is mounted in a store, somebody has mounted it on purpose.
      const isView = dirname(mount) === `${store}/views` && layerOfName(basename(mount)) !== null;
      const unmount = async () => {
        check(await run("umount", ["--", mount]), `Cannot unmount "${mount}"`, "busy");
      };
      await this.#note("stray-mount", mount, detail, isView ? unmount : undefined);
    }
  }

  /** Tells of what is mounted over root filesystems: it would be taken for them. */
  async #foreignMounts(mounts: readonly ListedMount[]): Promise<void> {
    const seen = new Map(mounts.map((mount) => [mount.target, mount]));
    for (const container of this.#known.containers) {
      const mount = seen.get(container.rootfs);
      if (mount === undefined || this.#store.driver.isRootfs(container, mount)) continue;
      // While it is being replaced, another one may be there.
      if (isClaimed(dirname(container.rootfs), this.#store.staging)) continue;
      const detail = `${describeMount(mount)} is mounted in the place of the root filesystem of ` +
        `container "${container.id}"; unmount it`;
      await this.#note("stray-mount", container.rootfs, detail);
    }
  }

  /** Looks whether all that images need is there, and with `deep` whether it is what it says. */
  async #images(): Promise<{ images: number; blobs: number }> {
    const images = new ImageStore(this.#store.path);
    const { problems } = await images.roots();
    for (const { tag, digest, detail } of problems) {
      await this.#note("damaged-image", tag ?? digest ?? "index.json", detail);
    }
    const blobs = images.blobs.list();
    for (const blob of this.#options.deep ? blobs : []) {
      const location = images.blobs.locate(blob.digest);
      if (location === null) continue; // removed meanwhile
      const algorithm = digestAlgorithm(blob.digest);
      const found = await digestFile(location, algorithm, this.#options);
      if (found === blob.digest) continue;
      const detail = `the digest of its content is ${found}; without it, pull can bring it anew`;
      await this.#note("damaged-image", blob.digest, detail, () => {
        images.blobs.remove(blob.digest);
      });
    }
    return { images: (await images.list()).images.length, blobs: blobs.length };
  }

  /** Compares the contents of layers with what their images say; returns how many. */
  async #contents(layers: readonly StoredLayer[]): Promise<number> {
    for (const { layer, kind, detail } of await checkContents(this.#store, layers, this.#options)) {
      const mend = () => mendLayer(this.#store, layer, this.#userOf(layer, layers), this.#options);
      await this.#note(kind, layer.chainId, detail, kind === "altered-layer" ? mend : undefined);
    }
    return layers.length;
  }

  /** What needs a layer, for people to read; null where nothing does. */
  #userOf({ chainId, mounted }: StoredLayer, layers: readonly StoredLayer[]): string | null {
    if (mounted) return "it is mounted";
    const upper = layers.find(({ parent }) => parent === chainId);
    if (upper !== undefined) return `layer ${upper.chainId} is on top of it`;
    if (!this.#store.driver.rootfsNeedsLayers) return null;
    const { containers, damaged, unrecorded } = this.#known;
    const container = containers.find(({ top }) => top === chainId);
    if (container !== undefined) return `container "${container.id}" is on top of it`;
    if (claimedTops(this.#store).includes(chainId)) return "litter is on top of it";
    const [unknown] = [...damaged.map(({ id }) => id), ...unrecorded];
    return unknown === undefined ? null : `nobody can tell what container "${unknown}" needs`;
  }

  /** What somebody has mounted in a container is his affair. */
  #isBelowContainer(mount: string): boolean {
    return this.#known.containers.some(({ rootfs }) => mount.startsWith(`${rootfs}/`));
  }
}
