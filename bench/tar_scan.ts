/**
 * A layer of many small entries, and scanning it in windows of 1 MiB.
 *
 * @module
 */

import type { DigestEngine } from "../src/core/hasher.ts";
import { TarScanner, type TarVisitor } from "../src/core/tar_scanner.ts";
import { dir, file, hardlink, symlink, tarball } from "../tests/fixtures/tar.ts";

/** Entries of the layer. */
export const ENTRIES = 20_000;

/** 12 MB: one directory in 20 entries, links among the files, a pax header for one name in 50. */
export function manyEntries(): Uint8Array {
  const members: Uint8Array[] = [];
  let parent = "usr";
  for (let i = 0; i < ENTRIES; i++) {
    const path = `${parent}/lib-${i}.so.${i % 7}`;
    if (i % 20 === 0) {
      parent = `usr/share/package-${i}/files`;
      members.push(dir(`${parent}/`));
    } else if (i % 20 === 7) members.push(symlink(path, `lib-${i - 1}.so`));
    else if (i % 20 === 8) members.push(hardlink(path, `${parent}/lib-${i - 2}.so.0`));
    else if (i % 50 === 11) members.push(file(path, "x".repeat(60), { pax: { mtime: "1.5" } }));
    else members.push(file(path, "x".repeat(i % 500)));
  }
  return tarball(members);
}

/** Scans the layer, which also digests it where `engine` is not null. */
export function scan(bytes: Uint8Array, engine: DigestEngine | null): void {
  const scanner = new TarScanner({
    algorithm: engine === null ? null : "sha256",
    engine: engine ?? "native",
  });
  let entries = 0;
  const visitor: TarVisitor = {
    entry: () => void entries++,
    data: () => {},
    end: () => {},
  };
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    const part = bytes.subarray(at, at + (1 << 20));
    // Taken anew: adding paths may have grown the memory.
    scanner.window.set(part);
    scanner.feed(part.length, visitor);
  }
  scanner.end(visitor);
  if (engine !== null) scanner.digest();
  if (entries !== ENTRIES) throw new Error(`scanned ${entries} entries`);
}
