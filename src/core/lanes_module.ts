/**
 * The WebAssembly module that digests several streams side by side.
 *
 * @module
 */

// @ts-types="../../wasm/lanes.d.ts"
import module from "../../wasm/lanes.js";

/** What wasm/assembly/lanes.ts exports. Every number is an i32; pointers are byte offsets. */
export interface LanesExports {
  /** Starts a digest with a state of 32 bytes. */
  laneReset(state: number): void;
  /** Works blocks into one state. */
  laneBlocks(state: number, pointer: number, count: number): void;
  /** Works blocks at four pointers into four states, in the lanes of a vector. */
  lanesBlocks(
    s0: number,
    s1: number,
    s2: number,
    s3: number,
    p0: number,
    p1: number,
    p2: number,
    p3: number,
    count: number,
  ): void;
  /** Puts the digest that a state holds, 32 bytes, at HASH_DIGEST (see instance.ts). */
  laneDigest(state: number): void;
}

/** An instance of the module that works in this memory. */
export function instantiateLanes(memory: WebAssembly.Memory): LanesExports {
  const imports = { env: { memory } };
  return new WebAssembly.Instance(module, imports).exports as unknown as LanesExports;
}
