/**
 * The memory in which several streams are digested side by side, by wasm/lanes.wasm:
 *
 *     0x000000  the module's own (wasm/assembly/memory.ts)
 *     0x020000  a state for a lane that has no stream
 *     0x020040  for each of SLOTS streams its state, and a buffer for what waits of it
 *     PLACES    whatever the host wants to have digested where it lies
 *
 * The memory may be shared between threads, so that one of them can digest what another puts there.
 *
 * @module
 */

/** Streams at a time in one memory. What is never written to takes nothing of the machine's. */
export const SLOTS = 8;

/**
 * Bytes of the buffer of each stream. With 768 KiB, streams of different rates go 0.95 to 1 times as
 * fast, with 512 KiB 0.9 to 1, and streams in turn with pieces of 1 MiB 0.7 times (measured).
 */
export const BUFFER = 0x100000;

/** Bytes for a state: 32, and what keeps the buffer behind it aligned. */
const STATE = 64;

/** Where the state for a lane that has no stream lies. */
export const SPARE = 0x20000;
const FIRST = SPARE + STATE;

const PAGE = 0x10000;
const PLACES = Math.ceil((FIRST + SLOTS * (STATE + BUFFER)) / PAGE) * PAGE;

/** Makes a memory. @param places bytes for what is to be digested where it lies; none for most */
export function createLaneMemory(places = 0): WebAssembly.Memory {
  const pages = Math.ceil((PLACES + places) / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** What there is of a memory for what is to be digested where it lies. */
export function placesOf(memory: WebAssembly.Memory): Uint8Array<SharedArrayBuffer> {
  return bytesOf(memory, PLACES, memory.buffer.byteLength - PLACES);
}

/** Where the state of a stream lies, and its buffer. @param slot below {@linkcode SLOTS} */
export function slotOf(memory: WebAssembly.Memory, slot: number) {
  const state = FIRST + slot * (STATE + BUFFER);
  return { state, buffer: bytesOf(memory, state + STATE, BUFFER) };
}

function bytesOf(memory: WebAssembly.Memory, start: number, length: number) {
  // TypeScript does not know that a shared memory has a shared buffer.
  const buffer = memory.buffer as ArrayBufferLike as SharedArrayBuffer;
  return new Uint8Array(buffer, start, length);
}
