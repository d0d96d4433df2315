/**
 * The annotation by which a layout says that it is a delta.
 *
 * @module
 */

import type { Descriptor } from "../oci/descriptor.ts";

/** Names the image that has the layers which are missing in a layout. */
export const NEEDS = "org.layerfs.delta.needs";

/** The images that have what is missing in a layout, by the entries of its index.json. */
export function neededBy(entries: readonly Descriptor[]): readonly string[] {
  return [...new Set(entries.flatMap(({ annotations }) => annotations?.[NEEDS] ?? []))];
}
