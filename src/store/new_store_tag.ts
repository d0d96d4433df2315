/**
 * Names that images in a store are given.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parseReference } from "../oci/reference.ts";
import { parseStoreTag } from "./images.ts";

/**
 * Reads NAME[:TAG] as the tag that an image in a store is to get.
 *
 * @throws {LayerfsError} `usage`, also for what no command would take for a name of the store again:
 * `oci:x` is the layout in the directory x
 */
export function parseNewStoreTag(name: string): string {
  const tag = parseStoreTag(name);
  const { transport } = parseReference(name);
  if (transport === "store") return tag;
  throw new LayerfsError(
    "usage",
    `Cannot use "${name}" as a name in the store: it would be read as ${transport}:PATH; take another`,
    { reference: name },
  );
}
