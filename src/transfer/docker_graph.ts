/**
 * The image of a `docker save` archive, which has no manifest, with one made for it.
 *
 * The manifest is in OCI's types, as skopeo makes it. The config keeps its bytes, and with them its
 * digest, which is Docker's image ID; its type is OCI's too, as umoci takes no manifest that mixes
 * the two, and a Docker config is an OCI config with more members. (skopeo writes the config anew,
 * without those.)
 *
 * @module
 */

import fs from "node:fs";
import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { type Compression, detectCompression, MAGIC_BYTES } from "../blob/decompress.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import { readAt } from "../source/document.ts";
import { resolveFrom } from "../source/image.ts";
import type { DockerLayer, DockerSource } from "../source/source.ts";
import { type AddOptions, digestLocation } from "../store/blobs.ts";
import { encodeManifest } from "../store/image_documents.ts";
import { blobKey, type GraphBlob, type ImageChoice, type ImageGraph } from "./graph.ts";

/** How layers are looked at whose digests nobody says. */
type How = Pick<AddOptions, "engine" | "signal">;

/**
 * Makes the graph of a docker-archive's image. Layers of which only the diffID is known are read
 * once for their digests, if they are compressed.
 *
 * @throws {LayerfsError} `platform-not-found` where a platform is asked for that it is not for, and
 * what is wrong with it
 */
export async function dockerGraph(
  source: DockerSource,
  { platform }: ImageChoice,
  how: How,
): Promise<ImageGraph> {
  if (platform !== undefined) await resolveFrom(source, platform);
  const { config, configBytes, configDigest, layers } = await source.image();
  const described: Descriptor[] = [];
  for (const [i, layer] of layers.entries()) {
    described.push(await describeLayer(layer, config.rootfs.diffIds[i] as Digest, how));
  }
  const configDescriptor = {
    mediaType: OCI_CONFIG,
    digest: configDigest,
    size: configBytes.length,
  };
  const manifest = encodeManifest(configDescriptor, described);
  const blobs = new Map<string, GraphBlob>();
  for (const [i, descriptor] of described.entries()) {
    const { location } = layers[i] as DockerLayer;
    const key = blobKey(descriptor);
    if (blobs.has(key)) continue;
    blobs.set(key, { descriptor, role: "layer", content: () => location });
  }
  blobs.set(blobKey(configDescriptor), {
    descriptor: configDescriptor,
    role: "config",
    content: () => configBytes,
  });
  return {
    reference: source.reference,
    roots: [manifest.descriptor],
    documents: [manifest],
    blobs: [...blobs.values()],
    registry: null,
  };
}

/** What a manifest says of a layer; `diffId` is that of its content. */
export async function describeLayer(
  { location, digest }: DockerLayer,
  diffId: Digest,
  how: How,
): Promise<Descriptor> {
  const compression = compressionOf(location);
  const suffix = compression === "none" ? "" : `+${compression}`;
  // A plain tar's digest is its diffID: so nothing is read twice, and a wrong one is found as it is
  // copied.
  const known = digest ?? (compression === "none" ? diffId : null);
  return {
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    digest: known ?? await digestLocation(location, how),
    size: location.length,
  };
}

function compressionOf(location: BlobLocation): Compression {
  const { fd } = openRegularFile(location.path);
  try {
    const head = new Uint8Array(Math.min(MAGIC_BYTES, location.length));
    readAt(fd, head, location.offset);
    return detectCompression(head);
  } finally {
    fs.closeSync(fd);
  }
}
