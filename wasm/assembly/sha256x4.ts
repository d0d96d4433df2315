/*
 * SHA-256 (FIPS 180-4) of four messages at a time: one in each 32-bit lane of a v128.
 *
 * The sixteen words of the message schedule lie in LANES_SCRATCH and the rounds from 16 on are a
 * loop of three turns. With all rounds written out, or with the words in locals as in sha256.ts, it
 * measures the same (0.79 GB/s for the four together on one core) or worse: with 24 vectors in use,
 * the engine spills either way.
 *
 *   LANES_STATE    word 0 of lanes 0 1 2 3 | word 1 of lanes 0 1 2 3 | ... word 7
 *   LANES_SCRATCH  the schedule in the same order, 16 words of four lanes
 */

import { alloc, HASH_STATE, heapReset, LANE_SIZE, LANES_SCRATCH, LANES_STATE } from "./memory";
import { sha256Blocks, sha256Init } from "./sha256";

/** The round constants. */
const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

// @ts-ignore: decorator
@inline function add(x: v128, y: v128): v128 { return i32x4.add(x, y); }
// @ts-ignore: decorator
@inline function rot(x: v128, n: i32): v128 { return v128.or(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n)); }
// @ts-ignore: decorator
@inline function S0(x: v128): v128 { return v128.xor(v128.xor(rot(x, 2), rot(x, 13)), rot(x, 22)); }
// @ts-ignore: decorator
@inline function S1(x: v128): v128 { return v128.xor(v128.xor(rot(x, 6), rot(x, 11)), rot(x, 25)); }
// @ts-ignore: decorator
@inline function s0(x: v128): v128 { return v128.xor(v128.xor(rot(x, 7), rot(x, 18)), i32x4.shr_u(x, 3)); }
// @ts-ignore: decorator
@inline function s1(x: v128): v128 { return v128.xor(v128.xor(rot(x, 17), rot(x, 19)), i32x4.shr_u(x, 10)); }
// @ts-ignore: decorator
@inline function ch(x: v128, y: v128, z: v128): v128 { return v128.xor(z, v128.and(x, v128.xor(y, z))); }
// @ts-ignore: decorator
@inline function maj(x: v128, y: v128, z: v128): v128 { return v128.or(v128.and(x, y), v128.and(z, v128.or(x, y))); }
// @ts-ignore: decorator
@inline function k(p: usize, at: usize): v128 { return v128.load32_splat(p + at); }
// @ts-ignore: decorator
@inline function w(i: usize): v128 { return v128.load(LANES_SCRATCH + ((i & 15) << 4)); }
// @ts-ignore: decorator
@inline function put(i: usize, x: v128): void { v128.store(LANES_SCRATCH + (i << 4), x); }

/** Word `i` of the schedule, sixteen words on. */
// @ts-ignore: decorator
@inline function next(i: usize): v128 {
  const x = add(add(w(i), s1(w(i + 14))), add(w(i + 9), s0(w(i + 1))));
  put(i, x);
  return x;
}

// @ts-ignore: decorator
@inline function state(i: usize): v128 { return v128.load(LANES_STATE + (i << 4)); }
// @ts-ignore: decorator
@inline function sum(i: usize, x: v128): void { v128.store(LANES_STATE + (i << 4), add(state(i), x)); }

/** Four big-endian words. */
// @ts-ignore: decorator
@inline function words(p: usize): v128 {
  const x = v128.load(p);
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Makes four buffers of LANE_SIZE, one behind the other; their address, or 0 without memory. */
export function lanesInit(): usize {
  heapReset();
  return alloc(4 * LANE_SIZE);
}

/** Puts the initial hash value into a lane. */
export function laneReset(lane: u32): void {
  sha256Init();
  scatter(lane);
}

/** Copies the state of a lane to HASH_STATE. */
function gather(lane: u32): void {
  for (let i: usize = 0; i < 8; i++) {
    store<u32>(HASH_STATE + (i << 2), load<u32>(LANES_STATE + (i << 4) + (lane << 2)));
  }
}

/** Copies HASH_STATE to a lane. */
function scatter(lane: u32): void {
  for (let i: usize = 0; i < 8; i++) {
    store<u32>(LANES_STATE + (i << 4) + (lane << 2), load<u32>(HASH_STATE + (i << 2)));
  }
}

/** Works `count` blocks at `p` into one lane: the other three wait. */
export function laneBlocks(lane: u32, p: usize, count: u32): void {
  gather(lane);
  sha256Blocks(p, count);
  scatter(lane);
}

/** Puts the digest of a lane, big-endian, to `p`. */
export function laneDigest(lane: u32, p: usize): void {
  for (let i: usize = 0; i < 8; i++) {
    store<u32>(p + (i << 2), bswap(load<u32>(LANES_STATE + (i << 4) + (lane << 2))));
  }
}

/**
 * Works `count` blocks at each of four places into the lanes. A lane that is not in `mask` (bit 0 is
 * lane 0) keeps its state: it works along on any readable place, in vain.
 */
export function lanesBlocks(mask: u32, p0: usize, p1: usize, p2: usize, p3: usize, count: u32): void {
  const taking = i32x4(-<i32>(mask & 1), -<i32>(mask >> 1 & 1), -<i32>(mask >> 2 & 1), -<i32>(mask >> 3 & 1));
  const s = state(0), t = state(1), u = state(2), v = state(3), x = state(4), y = state(5), z = state(6), o = state(7);
  for (; count > 0; count--, p0 += 64, p1 += 64, p2 += 64, p3 += 64) {
    transpose(p0, p1, p2, p3);
    rounds();
  }
  if (mask == 15) return;
  keep(0, s, taking); keep(1, t, taking); keep(2, u, taking); keep(3, v, taking);
  keep(4, x, taking); keep(5, y, taking); keep(6, z, taking); keep(7, o, taking);
}

// @ts-ignore: decorator
@inline function keep(i: usize, before: v128, taking: v128): void {
  v128.store(LANES_STATE + (i << 4), v128.bitselect(state(i), before, taking));
}

/** Puts a block of each of the four messages into the schedule. */
function transpose(p0: usize, p1: usize, p2: usize, p3: usize): void {
  for (let i: usize = 0; i < 16; i += 4) {
    const at = i << 2;
    const a = words(p0 + at), b = words(p1 + at), c = words(p2 + at), d = words(p3 + at);
    const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
    const ef = i32x4.shuffle(a, b, 2, 6, 3, 7), gh = i32x4.shuffle(c, d, 2, 6, 3, 7);
    put(i, i64x2.shuffle(ab, cd, 0, 2));
    put(i + 1, i64x2.shuffle(ab, cd, 1, 3));
    put(i + 2, i64x2.shuffle(ef, gh, 0, 2));
    put(i + 3, i64x2.shuffle(ef, gh, 1, 3));
  }
}

/** Works the schedule into LANES_STATE. */
function rounds(): void {
  let a = state(0), b = state(1), c = state(2), d = state(3), e = state(4), f = state(5), g = state(6), h = state(7);
  let t: v128;
  t = add(add(add(h, S1(e)), add(ch(e, f, g), k(K, 0))), w(0)); d = add(d, t); h = add(t, add(S0(a), maj(a, b, c)));
  t = add(add(add(g, S1(d)), add(ch(d, e, f), k(K, 4))), w(1)); c = add(c, t); g = add(t, add(S0(h), maj(h, a, b)));
  t = add(add(add(f, S1(c)), add(ch(c, d, e), k(K, 8))), w(2)); b = add(b, t); f = add(t, add(S0(g), maj(g, h, a)));
  t = add(add(add(e, S1(b)), add(ch(b, c, d), k(K, 12))), w(3)); a = add(a, t); e = add(t, add(S0(f), maj(f, g, h)));
  t = add(add(add(d, S1(a)), add(ch(a, b, c), k(K, 16))), w(4)); h = add(h, t); d = add(t, add(S0(e), maj(e, f, g)));
  t = add(add(add(c, S1(h)), add(ch(h, a, b), k(K, 20))), w(5)); g = add(g, t); c = add(t, add(S0(d), maj(d, e, f)));
  t = add(add(add(b, S1(g)), add(ch(g, h, a), k(K, 24))), w(6)); f = add(f, t); b = add(t, add(S0(c), maj(c, d, e)));
  t = add(add(add(a, S1(f)), add(ch(f, g, h), k(K, 28))), w(7)); e = add(e, t); a = add(t, add(S0(b), maj(b, c, d)));
  t = add(add(add(h, S1(e)), add(ch(e, f, g), k(K, 32))), w(8)); d = add(d, t); h = add(t, add(S0(a), maj(a, b, c)));
  t = add(add(add(g, S1(d)), add(ch(d, e, f), k(K, 36))), w(9)); c = add(c, t); g = add(t, add(S0(h), maj(h, a, b)));
  t = add(add(add(f, S1(c)), add(ch(c, d, e), k(K, 40))), w(10)); b = add(b, t); f = add(t, add(S0(g), maj(g, h, a)));
  t = add(add(add(e, S1(b)), add(ch(b, c, d), k(K, 44))), w(11)); a = add(a, t); e = add(t, add(S0(f), maj(f, g, h)));
  t = add(add(add(d, S1(a)), add(ch(a, b, c), k(K, 48))), w(12)); h = add(h, t); d = add(t, add(S0(e), maj(e, f, g)));
  t = add(add(add(c, S1(h)), add(ch(h, a, b), k(K, 52))), w(13)); g = add(g, t); c = add(t, add(S0(d), maj(d, e, f)));
  t = add(add(add(b, S1(g)), add(ch(g, h, a), k(K, 56))), w(14)); f = add(f, t); b = add(t, add(S0(c), maj(c, d, e)));
  t = add(add(add(a, S1(f)), add(ch(f, g, h), k(K, 60))), w(15)); e = add(e, t); a = add(t, add(S0(b), maj(b, c, d)));
  for (let p = K + 64; p < K + 256; p += 64) {
    t = add(add(add(h, S1(e)), add(ch(e, f, g), k(p, 0))), next(0)); d = add(d, t); h = add(t, add(S0(a), maj(a, b, c)));
    t = add(add(add(g, S1(d)), add(ch(d, e, f), k(p, 4))), next(1)); c = add(c, t); g = add(t, add(S0(h), maj(h, a, b)));
    t = add(add(add(f, S1(c)), add(ch(c, d, e), k(p, 8))), next(2)); b = add(b, t); f = add(t, add(S0(g), maj(g, h, a)));
    t = add(add(add(e, S1(b)), add(ch(b, c, d), k(p, 12))), next(3)); a = add(a, t); e = add(t, add(S0(f), maj(f, g, h)));
    t = add(add(add(d, S1(a)), add(ch(a, b, c), k(p, 16))), next(4)); h = add(h, t); d = add(t, add(S0(e), maj(e, f, g)));
    t = add(add(add(c, S1(h)), add(ch(h, a, b), k(p, 20))), next(5)); g = add(g, t); c = add(t, add(S0(d), maj(d, e, f)));
    t = add(add(add(b, S1(g)), add(ch(g, h, a), k(p, 24))), next(6)); f = add(f, t); b = add(t, add(S0(c), maj(c, d, e)));
    t = add(add(add(a, S1(f)), add(ch(f, g, h), k(p, 28))), next(7)); e = add(e, t); a = add(t, add(S0(b), maj(b, c, d)));
    t = add(add(add(h, S1(e)), add(ch(e, f, g), k(p, 32))), next(8)); d = add(d, t); h = add(t, add(S0(a), maj(a, b, c)));
    t = add(add(add(g, S1(d)), add(ch(d, e, f), k(p, 36))), next(9)); c = add(c, t); g = add(t, add(S0(h), maj(h, a, b)));
    t = add(add(add(f, S1(c)), add(ch(c, d, e), k(p, 40))), next(10)); b = add(b, t); f = add(t, add(S0(g), maj(g, h, a)));
    t = add(add(add(e, S1(b)), add(ch(b, c, d), k(p, 44))), next(11)); a = add(a, t); e = add(t, add(S0(f), maj(f, g, h)));
    t = add(add(add(d, S1(a)), add(ch(a, b, c), k(p, 48))), next(12)); h = add(h, t); d = add(t, add(S0(e), maj(e, f, g)));
    t = add(add(add(c, S1(h)), add(ch(h, a, b), k(p, 52))), next(13)); g = add(g, t); c = add(t, add(S0(d), maj(d, e, f)));
    t = add(add(add(b, S1(g)), add(ch(g, h, a), k(p, 56))), next(14)); f = add(f, t); b = add(t, add(S0(c), maj(c, d, e)));
    t = add(add(add(a, S1(f)), add(ch(f, g, h), k(p, 60))), next(15)); e = add(e, t); a = add(t, add(S0(b), maj(b, c, d)));
  }
  sum(0, a); sum(1, b); sum(2, c); sum(3, d); sum(4, e); sum(5, f); sum(6, g); sum(7, h);
}
