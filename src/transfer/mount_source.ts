/**
 * From which repository of a registry a blob may be mounted into another one, so that it need not
 * be sent.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { isManifest } from "../oci/media_type.ts";
import { type ImageName, parseImageName } from "../oci/reference.ts";
import { LayoutDirectory } from "../source/layout_directory.ts";
import { LayoutSource } from "../source/layout_source.ts";
import { ImageReader } from "../store/image_reader.ts";
import type { ImageGraph } from "./graph.ts";

/** The repository that may have a blob; null where there is none to ask. */
export type MountSource = (blob: Descriptor) => Promise<string | null>;

/**
 * Where the blobs of an image may be mounted from: the repository that it comes from; for an image
 * of a store, those that other images of the store are named after.
 *
 * @param to where the image goes
 * @param store path of the store that it is in; absent where it comes from elsewhere
 */
export function mountSource(graph: ImageGraph, to: ImageName, store?: string): MountSource {
  const { registry, blobs } = graph;
  if (registry !== null) {
    const from = isBeside(registry, to) ? registry.repository : null;
    return () => Promise.resolve(from);
  }
  if (store === undefined) return () => Promise.resolve(null);
  const wanted = new Set(blobs.map(({ descriptor }) => descriptor.digest));
  let known: Promise<ReadonlyMap<Digest, string>> | undefined;
  return async ({ digest }) =>
    (await (known ??= findHolders(store, wanted, to))).get(digest) ?? null;
}

/**
 * The repositories beside `to` of whose images in the store the manifests list the wanted blobs.
 * The first one counts: an image that was made here is listed behind the one that it was made of,
 * and is perhaps in no registry yet.
 */
async function findHolders(
  store: string,
  wanted: ReadonlySet<Digest>,
  to: ImageName,
): Promise<ReadonlyMap<Digest, string>> {
  const holders = new Map<Digest, string>();
  const source = new LayoutSource(new LayoutDirectory(store), { transport: "oci", path: store });
  // Nothing is mounted from a damaged image; whoever asks for it is told.
  const reader = new ImageReader(source, () => {});
  for (const entry of source.entries()) {
    if (holders.size === wanted.size) break;
    const name = nameOf(entry);
    if (name === null || !isBeside(name, to)) continue;
    for await (const descriptor of reader.walk(entry, null)) {
      if (!isManifest(descriptor.mediaType)) continue;
      const manifest = (await reader.read(descriptor, null))?.manifest;
      for (
        const { digest } of manifest === undefined ? [] : [manifest.config, ...manifest.layers]
      ) {
        if (wanted.has(digest) && !holders.has(digest)) holders.set(digest, name.repository);
      }
    }
  }
  return holders;
}

/** Whether two repositories are different ones of one registry. */
function isBeside(one: ImageName, other: ImageName): boolean {
  return one.host === other.host && one.repository !== other.repository;
}

function nameOf({ annotations }: Descriptor): ImageName | null {
  try {
    return parseImageName(annotations?.[REF_NAME] ?? "");
  } catch (error) {
    if (error instanceof LayerfsError) return null;
    throw error;
  }
}
