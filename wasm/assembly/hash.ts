/*
 * A digest over a stream in pieces of any size: sha256.ts or sha512.ts plus the block that is not
 * full yet, the length and the padding. One stream an instance.
 */

import { HASH_BLOCK, HASH_DIGEST, HASH_STATE } from "./memory";
import { sha256Blocks, sha256Init } from "./sha256";
import { sha512Blocks, sha512Init } from "./sha512";

/** 6 or 7: the binary logarithm of the block size, which also tells SHA-256 from SHA-512. */
let shift: u32 = 6;
/** Bytes in HASH_BLOCK. */
let fill: u32 = 0;
/** Bytes of the whole stream so far. */
let total: u64 = 0;

/** Starts a digest: `algorithm` 0 is SHA-256, 1 is SHA-512. */
export function hashInit(algorithm: u32): void {
  shift = 6 + algorithm;
  fill = 0;
  total = 0;
  if (algorithm) sha512Init();
  else sha256Init();
}

/**
 * Blocks a call. V8 goes over to optimised code when a function is called, never within a loop: in
 * one call for all, the first window of a process would pass at a tenth of the speed (measured:
 * 30 ms for 1 MiB instead of 8).
 */
export const BLOCKS_A_CALL: u32 = 256;

function blocks(p: usize, count: u32): void {
  while (count) {
    const part = min(count, BLOCKS_A_CALL);
    if (shift == 6) sha256Blocks(p, part);
    else sha512Blocks(p, part);
    p += part << shift;
    count -= part;
  }
}

/** Adds `length` bytes at `p`. */
export function hashUpdate(p: usize, length: u32): void {
  const size: u32 = 1 << shift;
  total += length;
  if (fill) {
    const part = min(size - fill, length);
    memory.copy(HASH_BLOCK + fill, p, part);
    fill += part;
    if (fill < size) return;
    blocks(HASH_BLOCK, 1);
    p += part;
    length -= part;
  }
  blocks(p, length >> shift);
  fill = length & (size - 1);
  memory.copy(HASH_BLOCK, p + (length - fill), fill);
}

/** Ends the stream: puts the digest into HASH_DIGEST and returns its length, 32 or 64. */
export function hashFinish(): u32 {
  const size: u32 = 1 << shift;
  // The length field has 8 bytes in SHA-256 and 16 in SHA-512.
  const field: u32 = size >> 3;
  store<u8>(HASH_BLOCK + fill, 0x80);
  fill++;
  if (fill > size - field) {
    memory.fill(HASH_BLOCK + fill, 0, size - fill);
    blocks(HASH_BLOCK, 1);
    fill = 0;
  }
  memory.fill(HASH_BLOCK + fill, 0, size - fill);
  store<u64>(HASH_BLOCK + size - 8, bswap<u64>(total << 3));
  if (shift == 7) store<u64>(HASH_BLOCK + size - 16, bswap<u64>(total >> 61));
  blocks(HASH_BLOCK, 1);
  for (let i: usize = 0; i < 64; i += 8) {
    const word = load<u64>(HASH_STATE + i);
    // Two words of 32 bits or one of 64 bits, big-endian in either case.
    store<u64>(HASH_DIGEST + i, bswap<u64>(shift == 7 ? word : rotr(word, 32)));
  }
  return 32 << (shift - 6);
}
