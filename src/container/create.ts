/**
 * `layerfs create`: a container from an image.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { resolve } from "@std/path/posix/resolve";
import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import type { ProgressListener } from "../layer/progress.ts";
import { Threads } from "../layer/threads.ts";
import type { Digest } from "../oci/digest.ts";
import { formatPlatform } from "../oci/platform.ts";
import { Claim, isClaimed, ROOTFS } from "../store/claim.ts";
import type { DriverName, NewRootfs } from "../store/driver.ts";
import { LayerFS } from "../store/layerfs.ts";
import { hasNoLayers } from "../store/settings.ts";
import type { Provided } from "../store/work.ts";
import type { ResolvedImage } from "../source/image.ts";
import type { Staging } from "../store/staging.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { checkFree, checkNew, containerPath } from "./containers.ts";
import { findOrigin, type Origin, type OriginOptions } from "./origin.ts";
import type { Overrides } from "./overrides.ts";
import { checkId, formatRecord, type ImageRecord, type RootfsOrigin } from "./record.ts";

/** What to make a container of, and how. */
export interface CreateOptions extends StoreOptions, OriginOptions {
  /** What computes the digests. */
  readonly engine: DigestEngine;
  /** The container's id; made up where it is absent. */
  readonly name?: string;
  /** Where the bundle goes; in the store where it is absent. */
  readonly bundle?: string;
  /** Keeps the blobs of an image of a registry in the store, and gives it its name there. */
  readonly keepBlobs?: boolean;
  /** What is to be other than the image says. */
  readonly overrides: Overrides;
  /** Takes the place of the image's Cmd where it is not empty. */
  readonly command: readonly string[];
  /** Ends the work, which then leaves nothing behind. */
  readonly signal: AbortSignal;
  /** Takes the steps as they come. */
  readonly onProgress?: ProgressListener;
}

/** What was made: the JSON that `create --json` prints. */
export interface CreateResult {
  /** The container's id, given or made up. */
  readonly id: string;
  /** Absolute path, as that of the root filesystem. */
  readonly bundle: string;
  /** Absolute path of the root filesystem. */
  readonly rootfs: string;
  /** What keeps the root filesystem. */
  readonly driver: DriverName;
  /** Where the root filesystem came from. */
  readonly source: RootfsOrigin;
  /** The image; null where the container has none. */
  readonly image: ImageRecord | null;
  /** How many layers there are, were there already, and were applied now. */
  readonly layers: { readonly total: number; readonly reused: number; readonly applied: number };
  /** Bytes read, and bytes of the tar streams in them, of the layers applied now. */
  readonly bytes: { readonly compressed: number; readonly uncompressed: number };
  /** Milliseconds that it took. */
  readonly durationMs: number;
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
}

/**
 * Makes a container: verifies the image, makes its root filesystem and writes its bundle. It exists
 * once it has its record, which comes last; on any error, nothing stays.
 *
 * @example
 * ```ts ignore
 * const { bundle } = await createContainer({
 *   store: "/var/lib/layerfs",
 *   driver: "auto",
 *   engine: "wasm",
 *   image: "oci:images:debian",
 *   overrides: NO_OVERRIDES,
 *   command: [],
 *   signal: new AbortController().signal,
 * });
 * ```
 *
 * @throws {LayerfsError} with any code; see errors.ts
 */
export async function createContainer(options: CreateOptions): Promise<CreateResult> {
  const started = performance.now();
  const id = options.name ?? crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  checkId(id);
  const destination = bundlePath(options, id);
  // What a dead process has left there is swept when the store is opened.
  const isOurs = options.bundle === undefined ||
    isClaimed(destination, `${resolve(options.store)}/staging`);
  if (isOurs) checkNew(options.store, id);
  else checkFree(options.store, id, destination);
  using threads = new Threads();
  if (options.rootfs === undefined && hasNoLayers(options.store)) threads.startAhead();
  await using found = await findOrigin(options, options.store);
  using store = await Store.open(options, "shared", options.signal);
  const origin = await kept(found.origin, store, options);
  checkQuota(store, options.overrides);
  const bundle = placeOf(destination, store, id);
  await using staging = store.stage();
  await using claim = await claimBundle(store, staging, {
    id,
    bundle,
    origin,
    signal: options.signal,
  });
  // What comes next is loaded while another program makes the root filesystem.
  const bundleFiles = loadBundleFiles();
  bundleFiles.catch(() => {}); // told of when it is awaited
  const places = { store, id, bundle, claim: staging.name };
  const made = await makeRootfs(origin, options, threads, places);
  const { writeBundle } = await bundleFiles;
  const { overrides, command, engine, signal } = options;
  const image = origin.source === "image" ? origin.image.config : null;
  const files = await writeBundle({ bundle, id, image, overrides, command, engine, signal });
  const record = imageRecord(origin);
  if (signal.aborted) throw new LayerfsError("interrupted", "Cannot create: interrupted");
  claim.commit(formatRecord({
    version: 1,
    id,
    created: new Date().toISOString(),
    driver: store.driver.name,
    source: origin.source,
    top: topLayer(origin),
    image: record,
    settings: { overrides, command, configDigest: files.configDigest },
  }));
  const { reused, applied, compressed, uncompressed } = made;
  return {
    id,
    bundle,
    rootfs: `${bundle}/${ROOTFS}`,
    driver: store.driver.name,
    source: origin.source,
    image: record,
    layers: { total: reused + applied, reused, applied },
    bytes: { compressed, uncompressed },
    durationMs: Math.round(performance.now() - started),
    warnings: [
      ...(origin.source === "fallback" ? [`used the fallback rootfs: ${origin.reason}`] : []),
      ...made.warnings,
      ...files.warnings,
    ],
  };
}

async function loadBundleFiles(): Promise<typeof import("./bundle_files.ts")> {
  const files: typeof import("./bundle_files.ts") = await import(
    import.meta.resolve("./bundle_files.ts")
  );
  return files;
}

/** The origin, with the blobs of its image in the store where that is wanted. */
async function kept(origin: Origin, store: Store, options: CreateOptions): Promise<Origin> {
  if (origin.source !== "image" || options.keepBlobs !== true) return origin;
  const { registry, engine, signal, onProgress } = options;
  const work = { registry, engine, signal, ...(onProgress === undefined ? {} : { onProgress }) };
  const { keepBlobs }: typeof import("./keep_blobs.ts") = await import(
    import.meta.resolve("./keep_blobs.ts")
  );
  return { ...origin, image: await keepBlobs(origin.image, store, work) };
}

/** Where the bundle goes; inside the store, every container has its place. */
function bundlePath({ store, bundle }: CreateOptions, id: string): string {
  const usual = containerPath(store, id);
  const destination = resolve(bundle ?? usual);
  const isInStore = `${destination}/`.startsWith(`${resolve(store)}/`);
  if (isInStore && destination !== usual) throw inStore(destination);
  return destination;
}

/** The bundle's place as mounts and other programs will name it: in the store, or outside of it. */
function placeOf(destination: string, store: Store, id: string): string {
  const usual = containerPath(store.path, id);
  try {
    const real = `${Deno.realPathSync(dirname(destination))}/${basename(destination)}`;
    if (real === usual || destination === usual) return usual;
    if (`${real}/`.startsWith(`${store.path}/`)) throw inStore(real);
    return real;
  } catch (error) {
    throw storageError(error, `Cannot make a bundle at "${destination}"`);
  }
}

function inStore(bundle: string): LayerfsError {
  return new LayerfsError(
    "usage",
    `Cannot use bundle directory "${bundle}": it is inside the store; take another`,
    { bundle },
  );
}

/** A limit that nothing keeps would be worse than none. */
function checkQuota(store: Store, { quota }: Overrides): void {
  if (quota === undefined || store.driver.hasQuota) return;
  throw new LayerfsError(
    "usage",
    `Cannot use --quota: the driver "${store.driver.name}" cannot limit a root filesystem`,
    { option: "quota", driver: store.driver.name },
  );
}

/** ChainID of the layer that the root filesystem is a clone of. */
function topLayer(origin: Origin): Digest | null {
  return origin.source === "image" ? origin.image.chainId : null;
}

/** Takes the name and the place of the container, as far as nobody else has them. */
async function claimBundle(
  store: Store,
  staging: Staging,
  { id, bundle, origin, signal }: {
    readonly id: string;
    readonly bundle: string;
    readonly origin: Origin;
    readonly signal: AbortSignal;
  },
): Promise<Claim> {
  for (const place of new Set([bundle, containerPath(store.path, id)])) {
    await store.sweepBundle(place);
  }
  using _lock = await store.lockNames(signal);
  checkFree(store.path, id, bundle);
  const elsewhere = bundle === containerPath(store.path, id) ? null : bundle;
  const claimed = { kind: "create", id, elsewhere, top: topLayer(origin) } as const;
  return Claim.create(claimed, store, staging);
}

async function makeRootfs(
  origin: Origin,
  options: CreateOptions,
  threads: Threads,
  { store, id, bundle, claim }: {
    readonly store: Store;
    readonly id: string;
    readonly bundle: string;
    readonly claim: string;
  },
): Promise<Provided> {
  const { engine, signal, onProgress = () => {} } = options;
  const { quota } = options.overrides;
  const layerfs = new LayerFS(store);
  const container: NewRootfs = {
    id,
    rootfs: `${bundle}/${ROOTFS}`,
    top: topLayer(origin),
    claim,
    ...(quota === undefined ? {} : { quota }),
  };
  const work = { engine, signal, onProgress, threads };
  if (origin.source === "image") {
    return await layerfs.createRootfs(container, origin.image.layers, work);
  }
  const { rootfsFromPath }: typeof import("./rootfs.ts") = await import(
    import.meta.resolve("./rootfs.ts")
  );
  return await rootfsFromPath(origin.path, layerfs, container, work);
}

function imageRecord(origin: Origin): ImageRecord | null {
  return origin.source === "image" ? recordOf(origin.image) : null;
}

/** What the record says of an image. */
export function recordOf(image: ResolvedImage): ImageRecord {
  const { reference, digest, configDigest, chainId, platform } = image;
  return { reference, digest, configDigest, chainId, platform: formatPlatform(platform) };
}
