/**
 * The blobs of an image's layers, copied into a store for an image that is made on top of them.
 *
 * @module
 */

import { isLocation } from "../blob/content.ts";
import { within } from "../errors.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { ResolvedImage, ResolvedLayer } from "../source/source.ts";
import type { AddOptions } from "../store/blobs.ts";
import type { ImageStore } from "../store/images.ts";
import type { PulledImage } from "../store/stored_image.ts";
import { describeLayer } from "./docker_graph.ts";

/** How they are copied. */
export interface LayerBlobsOptions extends Omit<AddOptions, "onBytes"> {
  readonly onProgress: ProgressListener;
}

/** What was copied. */
export interface LayerBlobs extends Pick<PulledImage, "copied" | "reused"> {
  /** Base first. */
  readonly layers: readonly Descriptor[];
}

/** Copies the layers of an image into the store, without a name or a manifest. */
export async function addLayerBlobs(
  store: ImageStore,
  image: ResolvedImage,
  { onProgress, ...how }: LayerBlobsOptions,
): Promise<LayerBlobs> {
  const counts = { copied: { blobs: 0, bytes: 0 }, reused: { blobs: 0, bytes: 0 } };
  const layers: Descriptor[] = [];
  for (const layer of image.layers) layers.push(await descriptorOf(layer, how));
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  onProgress({ type: "start", layers: layers.length, bytes });
  for (const [layer, { digest, size }] of layers.entries()) {
    const onBytes = (delta: number) => onProgress({ type: "bytes", layer, delta });
    try {
      const { content } = image.layers[layer]!;
      const count = counts[await store.blobs.add(content, digest, { ...how, onBytes })];
      count.blobs++;
      count.bytes += size;
    } catch (error) {
      const what = `Cannot copy layer ${layer + 1} of ${layers.length}`;
      throw within(error, what, { layer: layer + 1 });
    }
    onProgress({ type: "layer", layer });
  }
  onProgress({ type: "end" });
  return { layers, ...counts };
}

/** Only the layers of a docker-archive have none, and those are in its file. */
function descriptorOf(
  { descriptor, content, digest, diffId }: ResolvedLayer,
  how: Pick<AddOptions, "engine" | "signal">,
): Descriptor | Promise<Descriptor> {
  if (descriptor !== null) return descriptor;
  if (!isLocation(content)) throw new TypeError("a layer without a descriptor is in a file");
  return describeLayer({ location: content, digest }, diffId, how);
}
