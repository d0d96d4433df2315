/**
 * Scanning a layer of 20,000 small entries (12 MB of tar) fed in windows of 1 MiB: without a
 * digest, with one by the WebAssembly module, and with one by node:crypto. Entries a second are
 * 20,000 divided by the time of an iteration.
 *
 * Run with `deno bench --allow-env --allow-read bench/tar_scan_bench.ts`.
 */

import { manyEntries, scan } from "./tar_scan.ts";

const bytes = manyEntries();
const group = "20,000 entries";

Deno.bench({ name: "scan", group, baseline: true, fn: () => scan(bytes, null) });
Deno.bench({ name: "scan, sha256 by wasm", group, fn: () => scan(bytes, "wasm") });
Deno.bench({ name: "scan, sha256 native", group, fn: () => scan(bytes, "native") });
