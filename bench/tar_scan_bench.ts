/**
 * Scanning a layer of 20,000 small entries (12 MB of tar) fed in windows of 1 MiB: without a
 * digest, with one by the WebAssembly module, and with one by node:crypto. Entries a second are
 * 20,000 divided by the time of an iteration.
 *
 * Run with `deno bench --allow-env --allow-read bench/tar_scan_bench.ts`.
 */

import type { DigestEngine } from "../src/core/hasher.ts";
import { TarScanner, type TarVisitor } from "../src/core/tar_scanner.ts";
import { dir, file, hardlink, symlink, tarball } from "../tests/fixtures/tar.ts";

const ENTRIES = 20_000;

/** One directory in 20 entries, links among the files, a pax header for one name in 50. */
function layer(): Uint8Array {
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

const bytes = layer();

function scan(engine: DigestEngine | null): void {
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

Deno.bench({ name: "scan", group: "20,000 entries", baseline: true, fn: () => scan(null) });
Deno.bench({ name: "scan, sha256 by wasm", group: "20,000 entries", fn: () => scan("wasm") });
Deno.bench({ name: "scan, sha256 native", group: "20,000 entries", fn: () => scan("native") });
