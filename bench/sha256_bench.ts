/**
 * SHA-256 of 64 B, 4 KiB, 1 MiB and 64 MiB: this module's, hash-wasm's (compiled C) and node:crypto's
 * (the CPU's SHA instructions where it has them). Each iteration is a whole digest: a fresh or reset
 * hasher, one update, the result.
 *
 * Run with `deno bench --allow-env --allow-read bench/sha256_bench.ts`.
 */

import { createHash } from "node:crypto";
import { createSHA256 } from "hash-wasm";
import { createHasher } from "../src/core/hasher.ts";

const SIZES = [["64 B", 64], ["4 KiB", 4096], ["1 MiB", 1 << 20], ["64 MiB", 1 << 26]] as const;

const hashWasm = await createSHA256();

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
    name: `node:crypto, ${group}`,
    group,
    n,
    fn() {
      createHash("sha256").update(bytes).digest();
    },
  });
}
