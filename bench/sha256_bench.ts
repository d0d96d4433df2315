/**
 * SHA-256 of 64 B, 4 KiB, 1 MiB and 64 MiB: this module's, hash-wasm's (compiled C), @noble/hashes'
 * (JavaScript) and node:crypto's (the CPU's SHA instructions where it has them). Each iteration is a
 * whole digest: a fresh or reset hasher, one update, the result. Ratios: bench/sha256_rates.ts.
 *
 * "4 x" is four messages of that size, in turn in pieces of 1 MiB: in the four lanes of a vector, and
 * by four hashers.
 *
 * Run with `deno bench --allow-env --allow-read bench/sha256_bench.ts`.
 */

import { sha256 } from "@noble/hashes/sha2";
import { createHash } from "node:crypto";
import { createSHA256 } from "hash-wasm";
import { createHasher, type Hasher } from "../src/core/hasher.ts";
import { HasherLanes } from "../src/core/hasher_lanes.ts";

const SIZES = [["64 B", 64], ["4 KiB", 4096], ["1 MiB", 1 << 20], ["64 MiB", 1 << 26]] as const;

const hashWasm = await createSHA256();
const lanes = new HasherLanes();

/** Digests `bytes` in four hashers at a time. */
function four(bytes: Uint8Array, open: () => Hasher): void {
  const hashers = Array.from({ length: 4 }, open);
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    for (const hasher of hashers) hasher.update(bytes.subarray(at, at + (1 << 20)));
  }
  for (const hasher of hashers) hasher.digest();
}

for (const [group, size] of SIZES) {
  const bytes = new Uint8Array(size).fill(0x5a);
  // Long inputs are steady: few iterations tell enough.
  const n = size > 1 << 20 ? 10 : undefined;
  Deno.bench({
    name: `layerfs wasm, ${group}`,
    group,
    baseline: true,
    n,
    fn() {
      const hasher = createHasher("sha256", "wasm");
      hasher.update(bytes);
      hasher.digest();
    },
  });
  Deno.bench({
    name: `hash-wasm, ${group}`,
    group,
    n,
    fn() {
      hashWasm.init().update(bytes).digest("binary");
    },
  });
  Deno.bench({
    name: `@noble/hashes, ${group}`,
    group,
    n,
    fn() {
      sha256(bytes);
    },
  });
  Deno.bench({
    name: `node:crypto, ${group}`,
    group,
    n,
    fn() {
      createHash("sha256").update(bytes).digest();
    },
  });
  Deno.bench({
    name: `layerfs wasm, four lanes, 4 x ${group}`,
    group: `4 x ${group}`,
    baseline: true,
    n,
    fn: () => four(bytes, () => lanes.open()),
  });
  Deno.bench({
    name: `layerfs wasm, four hashers, 4 x ${group}`,
    group: `4 x ${group}`,
    n,
    fn: () => four(bytes, () => createHasher("sha256", "wasm")),
  });
}
