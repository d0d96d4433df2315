/**
 * Which registry the image of a container came from.
 *
 * @module
 */

import { findContainer } from "../container/containers.ts";
import { imageHost } from "./registry_host.ts";

/** The registry of a container's image; null where it has none, or there is no such container. */
export function containerHost(store: string, id: string): string | null {
  const image = findContainer(store, id)?.record.image ?? null;
  return image === null ? null : imageHost(image.reference);
}
