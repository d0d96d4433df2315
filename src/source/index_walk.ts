/**
 * Walks the descriptors of an index and of the indexes within it (image-spec image-index.md:
 * an index may list indexes).
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_INDEX_DEPTH, MAX_INDEX_ENTRIES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { isIndex } from "../oci/media_type.ts";

/** Reads a verified document. */
export type ReadDocument = (descriptor: Descriptor) => Promise<Uint8Array>;

/**
 * Gives every descriptor, an index before its entries. Each index is entered once, however many
 * entries name it: so the work is linear in what the image holds, and no cycle goes round.
 *
 * @param enter whether to read a nested index
 * @throws {LayerfsError} `image-invalid` for indexes nested too deep, or too many entries
 */
export async function* walkIndexes(
  descriptors: readonly Descriptor[],
  read: ReadDocument,
  enter: (index: Descriptor) => boolean,
): AsyncGenerator<Descriptor> {
  const entered = new Set<Digest>();
  const levels: Iterator<Descriptor>[] = [descriptors.values()];
  let entries = 0;
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { value, done } = level.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    if (++entries > MAX_INDEX_ENTRIES) throw tooMany(value);
    yield value;
    if (!isIndex(value.mediaType) || entered.has(value.digest) || !enter(value)) continue;
    if (levels.length > MAX_INDEX_DEPTH) throw tooDeep(value);
    entered.add(value.digest);
    levels.push(parseIndex(await read(value), value.mediaType).manifests.values());
  }
}

function tooDeep(index: Descriptor): LayerfsError {
  return new LayerfsError(
    "image-invalid",
    `Cannot read index ${index.digest}: it is nested deeper than ${MAX_INDEX_DEPTH} levels`,
    { digest: index.digest },
  );
}

function tooMany(at: Descriptor): LayerfsError {
  return new LayerfsError(
    "image-invalid",
    `Cannot read the image's indexes: they have more than ${MAX_INDEX_ENTRIES} entries; the ` +
      `first beyond is ${at.digest}`,
    { digest: at.digest },
  );
}
