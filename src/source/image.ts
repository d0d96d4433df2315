/**
 * From a reference to an image whose documents are read and verified, and whose layers are found.
 *
 * @example
 * ```ts ignore
 * import { hostPlatform } from "../oci/platform.ts";
 * import { resolveImage } from "./image.ts";
 *
 * const image = await resolveImage("oci:images:debian", hostPlatform());
 * for (const { location, diffId } of image.layers) {
 *   // location.length bytes of location.path, from location.offset
 * }
 * ```
 *
 * @module
 */

import type { BlobContent } from "../blob/content.ts";
import { LayerfsError, within } from "../errors.ts";
import { chainIds } from "../core/chain_id.ts";
import { checkLayerCount, type ImageConfig, parseConfig } from "../oci/config.ts";
import { type Descriptor, REF_NAME } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isConfig, isIndex, OCI_MANIFEST, parseLayerMediaType } from "../oci/media_type.ts";
import {
  formatPlatform,
  normalizePlatform,
  type Platform,
  rankPlatforms,
} from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import { quote } from "../oci/strict_json.ts";
import { walkIndexes } from "./index_walk.ts";
import { openSource, type SourcePlaces } from "./open.ts";
import type { DescriptorSource, DockerSource, ImageSource, ResolvedImage } from "./source.ts";

export type { ResolvedImage, ResolvedLayer } from "./source.ts";

/** An image, and the source that its layers come from, which is open until it is disposed of. */
export interface OpenImage extends AsyncDisposable {
  /** The image. */
  readonly image: ResolvedImage;
}

/**
 * Like {@linkcode resolveImage}, but with the source kept open: layers that come from a registry come
 * over the same connections.
 *
 * @throws {LayerfsError} as {@linkcode resolveImage}
 */
export async function openImage(
  reference: string,
  platform: Platform,
  places: SourcePlaces = {},
): Promise<OpenImage> {
  const source = await openSource(parseReference(reference), places);
  try {
    const image = await resolveFrom(source, platform);
    return { image, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Opens the source that `reference` names and resolves the image in it.
 *
 * @param platform what the image must run on
 * @throws {LayerfsError} as {@linkcode resolveFrom}, `usage` for a malformed reference
 */
export async function resolveImage(
  reference: string,
  platform: Platform,
  places: SourcePlaces = {},
): Promise<ResolvedImage> {
  await using opened = await openImage(reference, platform, places);
  return opened.image;
}

/**
 * Resolves the image for `platform` in a source: follows indexes, reads manifest and config, and
 * checks that they agree with one another and that every layer is there.
 *
 * @throws {LayerfsError} `not-found`, `platform-not-found`, `conflict` where several images could
 * be meant, `unsupported` for what is no container image, and all that verification throws
 */
export function resolveFrom(source: ImageSource, platform: Platform): Promise<ResolvedImage> {
  return source.kind === "oci"
    ? resolveDescriptors(source, platform)
    : resolveDocker(source, platform);
}

/** A manifest. */
interface ReadManifest {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
}

/** A manifest with its config. */
interface Candidate extends ReadManifest {
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
}

/** The documents of an image, which agree with one another. */
export interface SelectedImage extends Candidate {
  /** Tags that its source gives it. */
  readonly tags: readonly string[];
  /** That of the config, normalised. */
  readonly platform: Platform;
}

/**
 * Chooses the image for `platform`, as {@linkcode resolveFrom} does; whether its layers are there is
 * not looked at.
 *
 * @throws {LayerfsError} as {@linkcode resolveFrom}
 */
export async function selectImage(
  source: DescriptorSource,
  platform: Platform,
): Promise<SelectedImage> {
  const entries = await source.index();
  const manifests = await listManifests(source, entries, platform);
  const chosen = await choose(source, manifests, platform);
  const { manifest, config } = chosen;
  checkLayerCount(config, manifest.layers.length);
  for (const [i, layer] of manifest.layers.entries()) {
    if (parseLayerMediaType(layer.mediaType) === undefined) throw unknownLayer(layer, i);
  }
  const tags = [...new Set(entries.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? []))];
  return { ...chosen, tags, platform: platformOf(config) };
}

async function resolveDescriptors(
  source: DescriptorSource,
  wanted: Platform,
): Promise<ResolvedImage> {
  const { descriptor, ...selected } = await selectImage(source, wanted);
  const { manifest, config } = selected;
  const { diffIds } = config.rootfs;
  const chain = chainIds(diffIds);
  const layers = manifest.layers.map((layer, i) => {
    return {
      content: locateLayer(source, layer, i, manifest.layers.length),
      descriptor: layer,
      digest: layer.digest,
      size: layer.size,
      // As many as layers: checked above.
      diffId: diffIds[i] as Digest,
      chainId: chain[i] as Digest,
    };
  });
  return {
    reference: source.reference,
    digest: descriptor.digest,
    ...selected,
    configDigest: manifest.config.digest,
    layers,
    chainId: chain.at(-1) ?? null,
  };
}

async function resolveDocker(source: DockerSource, platform: Platform): Promise<ResolvedImage> {
  const { config, configBytes, configDigest, layers, tags } = await source.image();
  if (!runsOn(config, platform)) {
    throw otherPlatform(source.reference, platform, [formatPlatform(platformOf(config))]);
  }
  const { diffIds } = config.rootfs;
  const chain = chainIds(diffIds);
  return {
    reference: source.reference,
    digest: null,
    manifest: null,
    manifestBytes: null,
    tags,
    configDigest,
    config,
    configBytes,
    platform: platformOf(config),
    layers: layers.map(({ location, digest }, i) => ({
      content: location,
      descriptor: null,
      digest,
      size: digest === null ? null : location.length,
      diffId: diffIds[i] as Digest,
      chainId: chain[i] as Digest,
    })),
    chainId: chain.at(-1) ?? null,
  };
}

/** All manifests below the source's entries, in order, but for indexes of other platforms. */
async function listManifests(
  source: DescriptorSource,
  entries: readonly Descriptor[],
  platform: Platform,
): Promise<Descriptor[]> {
  const fits = (index: Descriptor) => rankPlatforms([index], platform).length > 0;
  const manifests: Descriptor[] = [];
  const read = (descriptor: Descriptor) => source.document(descriptor);
  for await (const descriptor of walkIndexes(entries, read, fits)) {
    if (!isIndex(descriptor.mediaType)) manifests.push(withoutEmptyPlatform(descriptor));
  }
  return manifests;
}

/** Some builders write a platform of empty strings where they know none. */
function withoutEmptyPlatform(descriptor: Descriptor): Descriptor {
  const { platform, ...rest } = descriptor;
  return platform?.os === "" && platform.architecture === "" ? rest : descriptor;
}

/**
 * The image that suits the platform best. Manifests whose descriptors name no platform have it in
 * their configs, which are looked at only where no other fits.
 */
async function choose(
  source: DescriptorSource,
  manifests: readonly Descriptor[],
  platform: Platform,
): Promise<Candidate> {
  const ranked = rankPlatforms(manifests, platform);
  const [best] = ranked;
  if (best?.platform !== undefined) return await readCandidate(source, best);
  // One image and no choice: whatever is wrong with it is what there is to say.
  const [only] = manifests;
  if (only !== undefined && manifests.length === 1 && only.platform === undefined) {
    const candidate = await readCandidate(source, only);
    if (runsOn(candidate.config, platform)) return candidate;
    throw otherPlatform(source.reference, platform, [
      formatPlatform(platformOf(candidate.config)),
    ]);
  }
  const candidates = [];
  for (const descriptor of ranked) {
    const candidate = await readImage(source, descriptor);
    if (candidate === null) continue;
    const { config } = candidate;
    candidates.push({ mediaType: OCI_MANIFEST, platform: platformOf(config), candidate });
  }
  const [chosen] = rankPlatforms(candidates, platform);
  if (chosen !== undefined) return chosen.candidate;
  const available = [...manifests, ...candidates].flatMap(({ platform: offered }) =>
    offered === undefined ? [] : [formatPlatform(offered)]
  );
  throw otherPlatform(source.reference, platform, available);
}

/** Like {@linkcode readCandidate}; null for an artifact, which stands beside images at times. */
async function readImage(
  source: DescriptorSource,
  descriptor: Descriptor,
): Promise<Candidate | null> {
  const read = await readManifest(source, descriptor);
  return isConfig(read.manifest.config.mediaType) ? await withConfig(source, read) : null;
}

async function readCandidate(
  source: DescriptorSource,
  descriptor: Descriptor,
): Promise<Candidate> {
  const read = await readManifest(source, descriptor);
  const { mediaType } = read.manifest.config;
  // What a config of another type means is for other programs to know (manifest.md).
  if (isConfig(mediaType)) return await withConfig(source, read);
  throw new LayerfsError(
    "unsupported",
    `Cannot use ${descriptor.digest}: the type of its config is ${quote(mediaType)}, so it is ` +
      "not a container image",
    { digest: descriptor.digest, mediaType },
  );
}

async function readManifest(
  source: DescriptorSource,
  descriptor: Descriptor,
): Promise<ReadManifest> {
  const manifestBytes = await source.document(descriptor);
  const manifest = parseManifest(manifestBytes, descriptor.mediaType);
  return { descriptor, manifest, manifestBytes };
}

async function withConfig(source: DescriptorSource, read: ReadManifest): Promise<Candidate> {
  const configBytes = await source.document(read.manifest.config);
  return { ...read, config: parseConfig(configBytes), configBytes };
}

function platformOf(config: ImageConfig): Platform {
  const { os, architecture, variant, osVersion, osFeatures } = config;
  return normalizePlatform({ os, architecture, variant, osVersion, osFeatures });
}

function runsOn(config: ImageConfig, platform: Platform): boolean {
  return rankPlatforms([{ mediaType: OCI_MANIFEST, platform: platformOf(config) }], platform)
    .length > 0;
}

function otherPlatform(
  reference: string,
  wanted: Platform,
  available: readonly string[],
): LayerfsError {
  const asked = formatPlatform(wanted);
  const offered = [...new Set(available)].join(", ");
  return new LayerfsError(
    "platform-not-found",
    `Cannot find an image for "${asked}" in ${quote(reference)}: ` +
      (offered === ""
        ? "there is no image"
        : `there is ${offered}; choose with --platform OS/ARCH[/VARIANT]`),
    { reference, platform: asked, available: offered },
  );
}

function unknownLayer(layer: Descriptor, at: number): LayerfsError {
  return new LayerfsError(
    "unsupported",
    `Cannot use layer ${at} (${layer.digest}): its media type is ${quote(layer.mediaType)}, ` +
      "which is not that of a tar layer",
    { digest: layer.digest, mediaType: layer.mediaType },
  );
}

function locateLayer(
  source: DescriptorSource,
  layer: Descriptor,
  index: number,
  count: number,
): BlobContent {
  try {
    return source.locate(layer);
  } catch (error) {
    throw within(error, `Cannot use layer ${index + 1} of ${count}`, { layer: index + 1 });
  }
}
