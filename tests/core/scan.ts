/**
 * Scans archives for the tests, and gives what was found in a form that does not depend on how the
 * stream was cut.
 *
 * @module
 */

import { TarScanner, type TarScannerOptions } from "../../src/core/tar_scanner.ts";
import type { TarEntry } from "../../src/core/tar_scanner.ts";

/** An entry with its contents: bytes at offsets, adjacent ones joined. */
export interface Scanned extends TarEntry {
  regions: { offset: number; bytes: Uint8Array }[];
}

/** What a scan gave. */
export interface Scan {
  entries: Scanned[];
  digest: string;
  scanner: TarScanner;
}

/** Collects entries, and notices a visitor protocol that is broken. */
export function collector(into: Scanned[]) {
  let open: Scanned | null = null;
  return {
    entry(entry: TarEntry): void {
      if (open) throw new Error(`${open.path} has no end`);
      open = { ...entry, regions: [] };
    },
    data(bytes: Uint8Array, offset: number): void {
      if (!open || bytes.length === 0) throw new Error("data without an entry, or no data");
      const last = open.regions.at(-1);
      if (last && last.offset + last.bytes.length === offset) {
        const joined = new Uint8Array(last.bytes.length + bytes.length);
        joined.set(last.bytes);
        joined.set(bytes, last.bytes.length);
        last.bytes = joined;
      } else open.regions.push({ offset, bytes: bytes.slice() });
    },
    end(): void {
      if (!open) throw new Error("end without an entry");
      into.push(open);
      open = null;
    },
  };
}

/** Scans a whole archive in pieces of `step` bytes. */
export function scan(
  archive: Uint8Array,
  step = 1 << 20,
  options: TarScannerOptions = { algorithm: "sha256", engine: "wasm" },
): Scan {
  const entries: Scanned[] = [];
  const scanner = new TarScanner(options);
  const visitor = collector(entries);
  for (let at = 0; at < archive.length; at += step) {
    const piece = archive.subarray(at, at + step);
    scanner.window.set(piece);
    scanner.feed(piece.length, visitor);
  }
  scanner.end(visitor);
  const digest = options.algorithm === null ? "" : scanner.digest();
  return { entries, digest, scanner };
}

/** The contents of a file as restored, holes as zeros. */
export function contents(entry: Scanned): Uint8Array {
  const bytes = new Uint8Array(entry.size);
  for (const region of entry.regions) bytes.set(region.bytes, region.offset);
  return bytes;
}

/** Sizes of pieces that cut headers and contents at every kind of place. */
export const STEPS = [1, 7, 511, 512, 513, 4096, 10_240] as const;
