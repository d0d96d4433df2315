/**
 * What a container is made of: an image, or what stands in for one.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../errors.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { openImage, type ResolvedImage } from "../source/image.ts";
import type { SourcePlaces } from "../source/open.ts";

/** Codes of errors that say that an image is nowhere, or out of reach. */
const NOT_TO_BE_HAD: ReadonlySet<ErrorCode> = new Set(["not-found", "unreachable"]);

/** An image that was found, or the path that stands in for it. */
export type Origin =
  | { readonly source: "image"; readonly image: ResolvedImage }
  | { readonly source: "rootfs"; readonly path: string }
  | { readonly source: "fallback"; readonly path: string; readonly reason: string };

/** An origin, with the source that it comes from open until it is disposed of. */
export interface OpenOrigin extends AsyncDisposable {
  readonly origin: Origin;
}

/** Which image or path: as in the options of `create`. */
export interface OriginOptions extends Omit<SourcePlaces, "store"> {
  /** Reference of the image. */
  readonly image?: string;
  /** Directory or tar file to take without an image. */
  readonly rootfs?: string;
  /** Directory or tar file to take where the image is not to be had. */
  readonly fallback?: string;
  /** Platform to choose; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Finds the image. Only where it is not to be had does a fallback stand in for it: never where it
 * was found and is invalid, as that may be an attack.
 *
 * @param store path of the store whose images have bare names
 * @throws {LayerfsError} `not-found`, `unreachable`, `platform-not-found`, or what is wrong with the image
 */
export async function findOrigin(options: OriginOptions, store: string): Promise<OpenOrigin> {
  if (options.rootfs !== undefined) return closed({ source: "rootfs", path: options.rootfs });
  if (options.image === undefined) {
    throw new LayerfsError("usage", "Cannot create a container: no image and no --rootfs is given");
  }
  const platform = options.platform === undefined
    ? hostPlatform()
    : parsePlatform(options.platform);
  try {
    const opened = await openImage(options.image, platform, { ...options, store });
    const origin = { source: "image", image: opened.image } as const;
    return { origin, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  } catch (error) {
    const isMissing = error instanceof LayerfsError && NOT_TO_BE_HAD.has(error.code);
    if (!isMissing || options.fallback === undefined) throw error;
    return closed({ source: "fallback", path: options.fallback, reason: error.message });
  }
}

/** An origin that nothing is kept open for. */
function closed(origin: Origin): OpenOrigin {
  return { origin, [Symbol.asyncDispose]: () => Promise.resolve() };
}
