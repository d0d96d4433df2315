/*
 * Linear memory, fixed at compile time. Only the last region grows.
 *
 *   0x000000 +--------------------------------------------------------------+
 *   0x000040 | HASH_WK     64 B   words of a message schedule (sha256.ts)   |
 *   0x000400 +--------------------------------------------------------------+
 *            | the compiler's static data (round constants)                 |
 *   0x010000 +--------------------------------------------------------------+
 *            | HASH_STATE  64 B   8 words of 32 or 64 bits                  |
 *   0x010040 | HASH_BLOCK 128 B   the block that is not full yet            |
 *   0x0100c0 | HASH_DIGEST 64 B   the finished digest, big-endian           |
 *   0x010200 | HEADER     512 B   a tar block split between two windows     |
 *   0x010400 | ROOT        32 B   node of the layer's root (see seen.ts)    |
 *   0x010500 | LANES_STATE 128 B  8 words of each of four lanes, at work    |
 *   0x010600 | LANES_SCRATCH 768 B their message schedules (sha256x4.ts)    |
 *   0x011000 | HEADER_PATH  4 KiB prefix, "/" and name of the ustar header  |
 *   0x012000 | HEADER_LINK  4 KiB link name of the header                   |
 *   0x013000 | GNU_PATH     4 KiB contents of a GNU 'L' header              |
 *   0x014000 | GNU_LINK     4 KiB contents of a GNU 'K' header              |
 *   0x015000 | PAX_PATH     4 KiB "path" of a pax 'x' header                |
 *   0x016000 | PAX_LINK     4 KiB "linkpath" of a pax 'x' header            |
 *   0x017000 | SPARSE_PATH  4 KiB "GNU.sparse.name" of a pax 'x' header     |
 *   0x018000 | HOST_PATH    4 KiB a path of the host, for seen and markSeen |
 *   0x020000 +--------------------------------------------------------------+
 *            | EVENTS      64 KiB event records for the host (events.ts)    |
 *   0x030000 +--------------------------------------------------------------+
 *            | GLOBALS     64 KiB extended attributes of pax 'g' headers    |
 *   0x040000 +--------------------------------------------------------------+
 *            | WINDOW       1 MiB the bytes of the stream, put by the host  |
 *   0x140000 +--------------------------------------------------------------+
 *            | heap: pax buffer, sparse map (both made at first use), nodes |
 *            | and hash table of the seen paths; grows, is never freed      |
 *            v                                                              v
 *
 * Of lanes.wasm, what lies from HOST_PATH on is the host's: states, buffers, streams.
 */

/** Not equal to HASH_STATE modulo 4096: see sha256.ts. */
export const HASH_WK: usize = 0x40;
export const HASH_STATE: usize = 0x10000;
export const HASH_BLOCK: usize = 0x10040;
export const HASH_DIGEST: usize = 0x100c0;
export const HEADER: usize = 0x10200;
export const ROOT: usize = 0x10400;
export const LANES_STATE: usize = 0x10500;
export const LANES_SCRATCH: usize = 0x10600;
export const HEADER_PATH: usize = 0x11000;
export const HEADER_LINK: usize = 0x12000;
export const GNU_PATH: usize = 0x13000;
export const GNU_LINK: usize = 0x14000;
export const PAX_PATH: usize = 0x15000;
export const PAX_LINK: usize = 0x16000;
export const SPARSE_PATH: usize = 0x17000;
export const HOST_PATH: usize = 0x18000;
export const EVENTS: usize = 0x20000;
export const EVENTS_SIZE: u32 = 0x10000;
export const GLOBALS: usize = 0x30000;
export const GLOBALS_SIZE: u32 = 0x10000;
export const WINDOW: usize = 0x40000;
export const WINDOW_SIZE: u32 = 0x100000;
const HEAP: usize = 0x140000;

/** Size of each of the 4 KiB name regions above. */
export const NAME_SIZE: u32 = 0x1000;

let heapTop: usize = HEAP;

/** Forgets everything on the heap. */
export function heapReset(): void {
  heapTop = HEAP;
}

/** A fresh region of the heap, 8-byte aligned, contents undefined; 0 when memory is exhausted. */
export function alloc(size: usize): usize {
  const at = heapTop;
  const top = (at + size + 7) & ~7;
  const have = <usize>memory.size() << 16;
  if (top < at) return 0;
  if (top > have) {
    const wanted = ((top - have + 0xffff) >> 16) as i32;
    // A quarter more than there is keeps the number of grows logarithmic; each detaches host views.
    const generous = wanted + ((memory.size() >> 2) as i32);
    if (memory.grow(generous) < 0 && memory.grow(wanted) < 0) return 0;
  }
  heapTop = top;
  return at;
}
