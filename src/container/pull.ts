/**
 * `layerfs pull`: an image into the store.
 *
 * @module
 */

import { parsePlatform, type Platform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import { openSource, type SourcePlaces } from "../source/open.ts";
import { ImageStore } from "../store/images.ts";
import { parseNewStoreTag } from "../store/new_store_tag.ts";
import type { Work } from "../store/work.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import type { PulledImage } from "../store/stored_image.ts";
import { readGraph } from "../transfer/graph.ts";
import { pullImage } from "../transfer/pull.ts";

export type { PulledImage } from "../store/stored_image.ts";

/** What to pull, and how. */
export interface PullIntoStoreOptions extends StoreOptions, Work, Omit<SourcePlaces, "store"> {
  /** Reference of the image. */
  readonly image: string;
  /** NAME[:TAG] in the store; the image's own tag where it is absent. */
  readonly as?: string;
  /** Platform to choose; the host's where it is absent. */
  readonly platform?: string;
  /** All platforms, with the index that lists them. */
  readonly all?: boolean;
}

/**
 * Copies an image into the store, each blob verified. Of a bare name that the store does not have, the
 * registry is asked that it implies; where it has it, only with `pull: "always"`.
 *
 * @throws {LayerfsError} `usage` where there is no name for it, `not-found`, or what is wrong with it
 */
export async function pull(options: PullIntoStoreOptions): Promise<PulledImage> {
  const { image: reference, as, all, engine, signal, onProgress, registry } = options;
  const platform = options.platform === undefined ? {} : {
    platform: parsePlatform(options.platform),
  };
  if (as !== undefined) parseNewStoreTag(as);
  const places = { store: options.store, registry, pull: options.pull ?? "missing" } as const;
  // A failure must not make a store. Where there is one, the image is read once.
  if (await Store.read(options) === null) await checkReadable(reference, places, platform);
  using store = await Store.open(options, "shared", options.signal);
  const named = as === undefined ? {} : { as };
  const choice = { ...platform, ...(all === undefined ? {} : { all }) };
  const work = { engine, signal, onProgress };
  return await pullImage(new ImageStore(store.path), {
    reference,
    ...places,
    ...choice,
    ...work,
    ...named,
  });
}

async function checkReadable(
  reference: string,
  places: SourcePlaces,
  platform: { readonly platform?: Platform },
): Promise<void> {
  await using source = await openSource(parseReference(reference), places);
  if (source.kind === "oci") await readGraph(source, platform);
  else await source.image();
}
