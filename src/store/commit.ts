/**
 * Makes an image of another one and of what has changed in its tree, in the store.
 *
 * @module
 */

import { packChanges } from "../layer/pack_changes.ts";
import type { TreeChanges } from "../layer/tree_changes.ts";
import { chainIds } from "../core/chain_id.ts";
import { changeConfig } from "../oci/config_change.ts";
import { dateOfEpoch } from "../oci/date_time.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import type { Platform } from "../oci/platform.ts";
import { parseJson } from "../oci/strict_json.ts";
import { addImage, DEFAULT_LEVEL, NO_COUNTS } from "./add_image.ts";
import { type Document, encodeDocument } from "./image_documents.ts";
import { type ImageStore, parseStoreTag } from "./images.ts";
import type { Work } from "./work.ts";
import type { MadeImage, PulledImage } from "./stored_image.ts";
import { Staging } from "./staging.ts";

/** What an image is made on top of. */
export interface BaseImage {
  /** Its config; null for none. */
  readonly configBytes: Uint8Array | null;
  readonly platform: Platform;
  /** Base first; the store has their blobs. */
  readonly layers: readonly Descriptor[];
  /** Of the uncompressed tars, as many. */
  readonly diffIds: readonly Digest[];
  /** What it took to have the blobs. */
  readonly counts?: Pick<PulledImage, "copied" | "reused">;
}

/** What is said of the new image. */
export interface CommitOptions {
  /** NAME[:TAG] of the new image. */
  readonly name: string;
  /** Who made it. */
  readonly author?: string;
  /** The comment of its history entry. */
  readonly message?: string;
  /** Such as `CMD ["sh"]` (see oci/config_change.ts). */
  readonly changes?: readonly string[];
  /**
   * Seconds since 1970 (SOURCE_DATE_EPOCH): the new image's date of creation, and no time in the new
   * layer is later. Without it, the date is that of now.
   */
  readonly epoch?: number;
  /** 1 (fast) to 9 (small) for gzip; 0 leaves the layer as it is. */
  readonly level?: number;
}

/** An image that was made of a container. */
export interface CommittedImage extends MadeImage {
  /** Of the new layer. */
  readonly diffId: Digest;
  /** Names that are added, changed or removed by it. */
  readonly changes: number;
}

/**
 * Packs the changes, and tags the image of it last: a kill leaves blobs that gc removes, and litter.
 *
 * @throws {LayerfsError} `usage` for what is no NAME[:TAG], and as `packChanges`
 */
export async function commitImage(
  store: ImageStore,
  base: BaseImage,
  changes: TreeChanges,
  options: CommitOptions & Pick<Work, "engine" | "signal">,
): Promise<CommittedImage> {
  const tag = parseStoreTag(options.name);
  const { engine, signal, epoch, level = DEFAULT_LEVEL } = options;
  const created = epoch === undefined ? new Date().toISOString() : dateOfEpoch(epoch);
  await store.initialize(signal);
  await using staging = Staging.create(`${store.path}/staging`);
  const path = `${staging.path}/layer`;
  const packed = await packChanges(changes, path, {
    algorithm: "sha256",
    engine,
    level,
    latest: epoch,
    signal,
    scratch: staging.path,
  });
  const diffIds = [...base.diffIds, packed.diffId];
  const made = await addImage(store, {
    tag,
    platform: base.platform,
    config: committedConfig(base, diffIds, created, options),
    lower: base.layers,
    counts: base.counts ?? NO_COUNTS,
    packed: { ...packed, path, level, chainId: chainIds(diffIds).at(-1)! },
  }, { staging: staging.path, engine, signal });
  const { diffId, warnings } = packed;
  return { ...made, diffId, changes: changes.changes.length, warnings };
}

/** The base image's own config with all its members, and what the new layer adds. */
function committedConfig(
  base: BaseImage,
  diffIds: readonly Digest[],
  created: string,
  { author, message, changes = [] }: CommitOptions,
): Document {
  const parsed = base.configBytes === null ? {} : parseJson(base.configBytes, "config");
  if (!isObject(parsed)) throw new TypeError("the config of an image is an object");
  const { os, architecture, variant } = base.platform;
  const platform = { architecture, os, ...(variant === undefined ? {} : { variant }) };
  return encodeDocument(OCI_CONFIG, {
    ...(base.configBytes === null ? platform : parsed),
    created,
    ...(author === undefined ? {} : { author }),
    ...(changes.length === 0 ? {} : { config: changeConfig(parsed.config, changes) }),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [...historyOf(parsed.history, base.diffIds.length), {
      created,
      created_by: "layerfs commit",
      ...(author === undefined ? {} : { author }),
      ...(message === undefined ? {} : { comment: message }),
    }],
  });
}

/** Every layer must have its entry (config.md), the base image's too, where that tells no history. */
function historyOf(history: unknown, layers: number): unknown[] {
  const entries = Array.isArray(history) ? history : [];
  const told = entries.filter((entry) => !isObject(entry) || entry.empty_layer !== true).length;
  const untold = Array.from({ length: Math.max(layers - told, 0) }, () => ({}));
  return [...entries, ...untold];
}
