/*
 * The exports of lanes.wasm: SHA-256 of several streams side by side, one instance for all of them.
 *
 * The host makes its memory, which threads may share: so a stream can be digested where another
 * thread puts it, without a copy. See memory.ts for what of it is the module's.
 */

export { laneBlocks, laneDigest, laneReset, lanesBlocks } from "./sha256x4";
