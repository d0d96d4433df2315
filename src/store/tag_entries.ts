/**
 * How entries of index.json give way to others.
 *
 * @module
 */

import type { Descriptor } from "../oci/descriptor.ts";
import { formatPlatform, normalizePlatform } from "../oci/platform.ts";
import { tagOfEntry } from "../source/store_source.ts";
import type { IndexEntry } from "./store_index.ts";

/** All entries, the first old one replaced by those that are added, the others taken away. */
export function replaceEntries(
  entries: readonly IndexEntry[],
  isOld: (entry: IndexEntry) => boolean,
  added: readonly unknown[],
): readonly unknown[] {
  const first = entries.findIndex(isOld);
  if (first === -1) return [...entries.map(({ json }) => json), ...added];
  return entries.flatMap((entry, i) => i === first ? added : isOld(entry) ? [] : [entry.json]);
}

/** Whether an entry with `tag` gives way to `next`: images of other platforms stay beside it. */
export function replaces(next: Descriptor, old: Descriptor | null, tag: string): boolean {
  if (old === null || tagOfEntry(old) !== tag) return false;
  // An index, or a manifest that does not say, stands for every platform.
  if (next.platform === undefined || old.platform === undefined) return true;
  const [a, b] = [normalizePlatform(next.platform), normalizePlatform(old.platform)];
  return formatPlatform(a) === formatPlatform(b) && a.osVersion === b.osVersion;
}
