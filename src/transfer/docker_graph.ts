/**
 * The image of a `docker save` archive, with the manifest that the archive has of it, or, as most
 * have none, one that is made for it.
 *
 * That manifest is in OCI's types, as skopeo makes it. The config keeps its bytes, and with them its
 * digest, which is Docker's image ID; its type is OCI's too, as umoci takes no manifest that mixes
 * the two, and a Docker config is an OCI config with more members. (skopeo writes the config anew,
 * without those.)
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { type Compression, detectCompression, MAGIC_BYTES } from "../blob/decompress.ts";
import { readAt } from "../files.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { OCI_CONFIG } from "../oci/media_type.ts";
import { resolveFrom } from "../source/image.ts";
import type { DockerImage, DockerLayer, DockerManifest, DockerSource } from "../source/source.ts";
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
  const image = await source.image();
  const kept = await source.manifest();
  const { descriptor, bytes, config, layers } = kept ?? await makeManifest(image, how);
  const blobs = new Map<string, GraphBlob>();
  for (const [i, layer] of layers.entries()) {
    const { location } = image.layers[i] as DockerLayer;
    const key = blobKey(layer);
    if (blobs.has(key)) continue;
    blobs.set(key, { descriptor: layer, role: "layer", content: () => location });
  }
  blobs.set(blobKey(config), {
    descriptor: config,
    role: "config",
    content: () => image.configBytes,
  });
  return {
    reference: source.reference,
    roots: [descriptor],
    documents: [{ descriptor, bytes }],
    blobs: [...blobs.values()],
    registry: null,
    warnings: kept === null ? [digestLost(source)] : [],
  };
}

function digestLost({ reference }: DockerSource): string {
  return `"${reference}" has no manifest, so one is made: its digest is not the one that the image ` +
    "has where it came from";
}

async function makeManifest(image: DockerImage, how: How): Promise<DockerManifest> {
  const { config: { rootfs }, configBytes, configDigest } = image;
  const layers: Descriptor[] = [];
  for (const [i, layer] of image.layers.entries()) {
    layers.push(await describeLayer(layer, rootfs.diffIds[i] as Digest, how));
  }
  const config = { mediaType: OCI_CONFIG, digest: configDigest, size: configBytes.length };
  return { ...encodeManifest(config, layers), config, layers };
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
  const { file } = openRegularFile(location.path);
  try {
    const head = new Uint8Array(Math.min(MAGIC_BYTES, location.length));
    readAt(file, head, location.offset);
    return detectCompression(head);
  } finally {
    file.close();
  }
}
