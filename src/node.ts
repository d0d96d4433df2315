/**
 * The few modules of Node that have what Deno has not, for the main thread: loaded by the first call
 * that needs one, as each takes 10 to 20 ms to load (see files.ts).
 *
 * @module
 */

/** statfs(2). */
export const nodeFs = () => globalThis.process.getBuiltinModule("node:fs");

/** The name of the current user. */
export const nodeOs = () => globalThis.process.getBuiltinModule("node:os");

/** Digests by the processor's own instructions. */
export const nodeCrypto = () => globalThis.process.getBuiltinModule("node:crypto");
