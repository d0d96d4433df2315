/**
 * Sparse files in pax archives: GNU tar's format 1.0 (its manual, "PAX Format, Versions 1.0"), in
 * which the content of a file begins with a map of where it goes.
 *
 * @module
 */

import type { PaxRecord } from "./pax_records.ts";
import { paddedSize } from "./ustar_block.ts";

/** Content that is no hole: where in the file it goes, and its bytes. */
export interface SparseRegion {
  readonly offset: number;
  readonly length: number;
}

/** What a header says of a sparse file. @param size bytes of the file as it is restored */
export function sparseRecords(size: number): PaxRecord[] {
  return [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.realsize", String(size)],
  ];
}

/** Holes that are smaller than this, or not aligned to it, are none to most filesystems. */
const PAGE = 4096;

/**
 * The same regions, widened to whole pages: GNU tar takes each from whole blocks of an archive.
 *
 * @param regions in the order of their offsets
 * @param size bytes of the file as it is restored, where the last page may end
 */
export function wholePages(regions: readonly SparseRegion[], size: number): SparseRegion[] {
  const pages: { offset: number; length: number }[] = [];
  for (const { offset, length } of regions) {
    if (length === 0) continue;
    const start = Math.floor(offset / PAGE) * PAGE;
    const end = Math.min(Math.ceil((offset + length) / PAGE) * PAGE, size);
    const last = pages.at(-1);
    if (last !== undefined && start <= last.offset + last.length) last.length = end - last.offset;
    else pages.push({ offset: start, length: end - start });
  }
  return pages;
}

/**
 * The map that comes before the regions: whole blocks, with a region of no bytes where the file ends.
 *
 * @param regions in the order of their offsets, each of whole blocks but the last one
 * @param size bytes of the file as it is restored
 */
export function encodeSparseMap(
  regions: readonly SparseRegion[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const all = [...regions, { offset: size, length: 0 }];
  const numbers = [all.length, ...all.flatMap(({ offset, length }) => [offset, length])];
  const text = new TextEncoder().encode(numbers.map((number) => `${number}\n`).join(""));
  const map = new Uint8Array(paddedSize(text.length));
  map.set(text);
  return map;
}
