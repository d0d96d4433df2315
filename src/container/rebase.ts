/**
 * `layerfs rebase`: a container's own changes on top of another image.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { exists, namesIn } from "../files.ts";
import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { parsePlatform } from "../oci/platform.ts";
import { type ResolvedImage, resolveImage } from "../source/image.ts";
import { digestFile } from "../store/digest_file.ts";
import type { NewRootfs } from "../store/driver.ts";
import { describeHolders, holdersOf } from "../store/holders.ts";
import { LayerFS } from "../store/layerfs.ts";
import type { Work } from "../store/work.ts";
import { Replacement } from "../store/replacement.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { type BasePlaces, withBaseTree } from "./base.ts";
import { type KeptVolumes, writeBundle } from "./bundle_files.ts";
import { type Container, containerPath, getContainer, getSettled, rootfsOf } from "./containers.ts";
import { recordOf } from "./create.ts";
import {
  type MergedTree,
  type RebaseConflict,
  rebaseTree,
  type Settlement,
} from "./rebase_tree.ts";
import { type ContainerSettings, formatRecord, type ImageRecord } from "./record.ts";
import { findRunning } from "./runtime.ts";

export type { RebaseConflict, Settlement } from "./rebase_tree.ts";

/** What to move to which image, and how. */
export interface RebaseOptions extends StoreOptions, Work, BasePlaces {
  /** The container. */
  readonly id: string;
  /** Reference of the image; of that, the container's own platform is taken. */
  readonly image: string;
  /** What becomes of paths that the container and the new image have both changed. */
  readonly settlement: Settlement;
}

/** What was done: the JSON that `rebase --json` prints. */
export interface RebaseResult {
  /** The container's id. */
  readonly id: string;
  /** The image that the container is made of now. */
  readonly image: ImageRecord;
  /** Paths that both had changed, and whose state the container has now; in their order. */
  readonly conflicts: readonly RebaseConflict[];
  /** Names that are added, changed or removed in the new image's tree. */
  readonly applied: number;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/** The files of the new bundle beside its root filesystem. */
interface NewFiles {
  /** What config.json was made of; null where the old one stays. */
  readonly settings: ContainerSettings | undefined;
  readonly warnings: readonly string[];
}

/**
 * Moves a container to another image: what it has changed is changed in the tree of that image, too,
 * and its configuration follows that image as far as the caller has not chosen otherwise when it was
 * created. The old container stays until the new one is complete; on any error, nothing has changed.
 *
 * @throws {LayerfsError} `not-found` for no such container or image, `usage` for a container of no
 * image, `busy` for one that is in use, `conflict` where both have changed the same path (see
 * {@linkcode RebaseOptions.settlement}; the data's `conflicts` has all) or the container is written to
 * meanwhile, `storage-full`
 */
export async function rebaseContainer(options: RebaseOptions): Promise<RebaseResult> {
  const image = await findImage(getContainer(options.store, options.id), options);
  using store = await Store.open(options, "shared", options.signal);
  using _lock = await store.lockContainer(options.id, options.signal);
  const container = getSettled(store.path, options.id);
  await refuseUsed(store, container);
  const layerfs = new LayerFS(store);
  const provided = store.driver.keepsLayers ? await layerfs.provide(image.layers, options) : null;
  await using staging = store.stage();
  const states = await store.driver.rootfsStates([rootfsOf(container)]);
  const { mounted = false, quota } = states.get(container.id) ?? {};
  await using replacement = await claim(store, container, image, staging);
  const merged = await build(store, container, { ...replacement.rootfs, quota }, image, options);
  const files = await writeFiles(container, replacement.bundle, image, options);
  const record = recordOf(image);
  const text = (pending: string | undefined) => {
    const { settings: _, ...kept } = container.record;
    const { settings } = files;
    return formatRecord({
      ...kept,
      source: "image",
      top: image.chainId,
      image: record,
      ...(settings === undefined ? {} : { settings }),
      ...(pending === undefined ? {} : { pending }),
    });
  };
  if (options.signal.aborted) throw new LayerfsError("interrupted", "Cannot rebase: interrupted");
  const left = await takePlace(store, container, replacement, mounted, text);
  const warnings = [
    ...provided?.warnings ?? [],
    ...merged.warnings,
    ...files.warnings,
    ...left,
  ];
  return { id: container.id, image: record, ...merged, warnings };
}

/** The image to move to, for the platform of the one that the container has. */
async function findImage(container: Container, options: RebaseOptions): Promise<ResolvedImage> {
  const { id, record } = container;
  const action = `Cannot rebase container "${id}"`;
  if (record.image === null || record.top === null) {
    const state = record.image === null ? "it was made of no image" : "its image has no layers";
    throw new LayerfsError("usage", `${action}: ${state}; create a new container`, { id });
  }
  const platform = parsePlatform(record.image.platform);
  const image = await resolveImage(options.image, platform, options);
  if (image.chainId !== null) return image;
  throw new LayerfsError("unsupported", `${action}: image "${options.image}" has no layers`, {
    id,
  });
}

/**
 * Refuses a container that anybody uses: it would go on with files that are gone.
 *
 * @throws {LayerfsError} `busy`, naming who
 */
async function refuseUsed(store: Store, container: Container): Promise<void> {
  const { id, bundle } = container;
  const action = `Cannot rebase container "${id}"`;
  const running = await findRunning(id, bundle);
  if (running !== null && running.status !== "stopped") {
    const state = `it is ${running.status} as process ${running.pid}; stop it first`;
    throw new LayerfsError("busy", `${action}: ${state}`, { id, pid: running.pid });
  }
  const rootfs = rootfsOf(container);
  const users = (await holdersOf(rootfs.rootfs)).filter(({ pid }) => pid !== Deno.pid);
  const holders = describeHolders(users);
  if (holders !== null) {
    const state = `it is in use by ${holders}; end that first`;
    throw new LayerfsError("busy", `${action}: ${state}`, { id, holders });
  }
  await store.driver.checkReplaceable(rootfs);
}

async function claim(
  store: Store,
  { id, bundle }: Container,
  { chainId }: ResolvedImage,
  staging: Parameters<typeof Replacement.create>[2],
): Promise<Replacement> {
  using _lock = await store.lockNames();
  getSettled(store.path, id);
  const elsewhere = bundle === containerPath(store.path, id) ? null : bundle;
  return Replacement.create({ kind: "replace", id, elsewhere, top: chainId }, store, staging);
}

/** Makes the new root filesystem, beside the old one. */
async function build(
  store: Store,
  container: Container,
  target: NewRootfs,
  image: ResolvedImage,
  { settlement, ...work }: RebaseOptions,
): Promise<MergedTree> {
  const layerfs = new LayerFS(store);
  const provided = await layerfs.createRootfs(target, image.layers, work);
  const top = image.chainId!; // findImage
  const traits = store.driver.keepsLayers
    ? (await store.driver.findLayers([top])).get(top)?.traits ?? null
    : null;
  const rootfs = rootfsOf(container);
  const merged = await withBaseTree(
    store,
    container,
    work,
    (base) =>
      layerfs.withRootfs(rootfs, () => {
        const trees = { base, container: rootfs, target: target.rootfs, traits };
        return rebaseTree(store, trees, settlement, work);
      }),
  );
  return { ...merged, warnings: [...provided.warnings, ...merged.warnings] };
}

/** Puts the new one into the place of the old one, mounted as that was. */
async function takePlace(
  store: Store,
  container: Container,
  replacement: Replacement,
  mounted: boolean,
  text: (pending: string | undefined) => string,
): Promise<string[]> {
  const { driver } = store;
  const rootfs = rootfsOf(container);
  using _lock = await store.lockNames();
  await refuseUsed(store, container);
  let isMoved = false;
  try {
    await driver.unmountRootfs(rootfs);
    // Now that can be told of users in other mount namespaces as well.
    await driver.checkReplaceable(rootfs);
    await driver.unmountRootfs(replacement.rootfs);
    const warnings = await replacement.commit(text);
    isMoved = true;
    return warnings;
  } finally {
    const now = isMoved ? { ...rootfs, top: replacement.rootfs.top } : rootfs;
    const { pending } = getContainer(store.path, container.id).record;
    if (mounted && pending === undefined) await driver.mountRootfs(now);
  }
}

/** Writes config.json and volumes of the new bundle, unless the old file must stay. */
async function writeFiles(
  container: Container,
  bundle: string,
  image: ResolvedImage,
  { engine, signal }: RebaseOptions,
): Promise<NewFiles> {
  const { id, record: { settings } } = container;
  const isOurs = settings !== undefined &&
    settings.configDigest === await digestConfig(container.bundle, { engine, signal });
  if (!isOurs) {
    const reason = settings === undefined
      ? "the container's record does not say how it was made"
      : "somebody has changed it";
    const warning = `config.json stays as it is, without the new image's settings: ${reason}`;
    return { settings, warnings: [warning] };
  }
  const { overrides, command } = settings;
  const volumes = volumesOf(container.bundle);
  const files = { bundle, id, image: image.config, overrides, command, volumes, engine, signal };
  const { configDigest, warnings } = await writeBundle(files);
  const used = new Set(volumesOf(bundle).sources.values());
  const unused = [...volumes.sources].filter(([, source]) => !used.has(source));
  return {
    settings: { overrides, command, configDigest },
    warnings: [
      ...warnings,
      ...unused.map(([destination, source]) => {
        return `The new image has no volume "${destination}": its data stay in ` +
          `"${container.bundle}/${source}"`;
      }),
    ],
  };
}

/** The digest of a bundle's config.json as it is now. */
async function digestConfig(
  bundle: string,
  how: Pick<RebaseOptions, "engine" | "signal">,
): Promise<Digest> {
  const path = `${bundle}/config.json`;
  try {
    const length = Deno.statSync(path).size;
    return await digestFile({ path, offset: 0, length }, "sha256", how);
  } catch (error) {
    throw storageError(error, `Cannot read "${path}"`);
  }
}

/** Volumes of the image that a bundle has, by what its config.json mounts. */
function volumesOf(bundle: string): KeptVolumes {
  const file = `${bundle}/config.json`;
  try {
    const config: unknown = JSON.parse(Deno.readTextFileSync(file));
    const mounts = isObject(config) && Array.isArray(config.mounts) ? config.mounts : [];
    const sources = new Map<string, string>();
    for (const mount of mounts) {
      const { source, destination } = isObject(mount) ? mount : {};
      if (typeof source !== "string" || typeof destination !== "string") continue;
      if (/^volumes\/\d+$/.test(source)) sources.set(destination, source);
    }
    const directory = `${bundle}/volumes`;
    const numbers = exists(directory) ? namesIn(directory).map(Number) : [];
    return { sources, firstFree: Math.max(-1, ...numbers.filter(Number.isSafeInteger)) + 1 };
  } catch (error) {
    throw storageError(error, `Cannot read "${file}"`);
  }
}
