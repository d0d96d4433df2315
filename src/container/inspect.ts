/**
 * `layerfs inspect`: everything known of an image or a container.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import type { RuntimeConfig } from "../oci/runtime_spec.ts";
import { type ResolvedImage, resolveFrom } from "../source/image.ts";
import { openSource, type SourcePlaces } from "../source/open.ts";
import { RegistrySource } from "../source/registry_source.ts";
import type { StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { getContainer } from "./containers.ts";
import type { ContainerRecord } from "./record.ts";

/** A container, and the configuration that its runtime gets. */
export interface ContainerDetails extends ContainerRecord {
  /** Absolute paths. */
  readonly bundle: string;
  /** Absolute path of its root filesystem. */
  readonly rootfs: string;
  /** Its `config.json`. */
  readonly config: RuntimeConfig;
}

/** An image, its documents as they were parsed. */
export type ImageDetails = Omit<ResolvedImage, "layers" | "manifestBytes" | "configBytes"> & {
  readonly layers: readonly {
    readonly digest: string | null;
    readonly size: number;
    readonly mediaType: string | null;
    readonly diffId: string;
    readonly chainId: string;
  }[];
  /** Descriptors of what refers to the manifest or to the index of it, where a registry was asked. */
  readonly referrers?: readonly Descriptor[];
  /** Why there may be more of them, for people to read; absent where nothing went wrong. */
  readonly warnings?: readonly string[];
};

/**
 * Everything known of the container `id`.
 *
 * @throws {LayerfsError} `not-found`
 */
export function inspectContainer(options: StoreOptions, id: string): ContainerDetails {
  const { bundle, record } = getContainer(options.store, id);
  const file = `${bundle}/config.json`;
  try {
    const config = JSON.parse(Deno.readTextFileSync(file)) as RuntimeConfig;
    return { ...record, bundle, rootfs: `${bundle}/rootfs`, config };
  } catch (error) {
    throw storageError(error, `Cannot read "${file}"`);
  }
}

/** Where an image is inspected that is no container's. */
export interface InspectImageOptions extends SourcePlaces {
  /** Platform to choose; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Everything known of the image that `reference` names; of one in a registry, with what refers to it.
 *
 * @throws {LayerfsError} `not-found`, `platform-not-found`, or what is wrong with its documents
 */
export async function inspectImage(
  reference: string,
  { platform, ...places }: InspectImageOptions = {},
): Promise<ImageDetails> {
  const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
  await using source = await openSource(parseReference(reference), places);
  const image = describeImage(await resolveFrom(source, wanted));
  if (!(source instanceof RegistrySource) || image.digest === null) return image;
  return { ...image, ...await referrersOf(source, image.digest) };
}

/**
 * What refers to an image: signatures are often about the index, attestations about the manifest. A
 * registry that does not say has the image all the same.
 */
async function referrersOf(
  source: RegistrySource,
  manifest: Digest,
): Promise<Pick<ImageDetails, "referrers" | "warnings">> {
  const found = new Map<Digest, Descriptor>();
  try {
    const subjects = [...await source.index(), { digest: manifest }].map(({ digest }) => digest);
    for (const subject of new Set(subjects)) {
      for (const referrer of await source.referrers(subject)) found.set(referrer.digest, referrer);
    }
    return { referrers: [...found.values()] };
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code === "permission-missing") throw error;
    return { referrers: [...found.values()], warnings: [error.message] };
  }
}

/** An image as `inspect` prints it. */
export function describeImage(image: ResolvedImage): ImageDetails {
  const layers = image.layers.map(({ digest, content, descriptor, diffId, chainId }) => ({
    digest,
    size: content.length,
    mediaType: descriptor?.mediaType ?? null,
    diffId,
    chainId,
  }));
  // What is parsed is shown; the bytes would only be rows of numbers.
  const { manifestBytes: _, configBytes: __, ...details } = image;
  return { ...details, layers };
}
