/*
 * SHA-256 (FIPS 180-4) of four messages at a time: one in each 32-bit lane of a v128.
 *
 * Each message has its state, of which a call makes LANES_STATE and back. The sixteen words of the
 * message schedule lie in LANES_SCRATCH. The four together are 1.9 times as fast as the one of
 * sha256.ts (measured, as all below, in V8 on an Intel Sapphire Rapids, unless it says otherwise).
 *
 * Three vector operations a cycle, which is all that the processor can, take nearly all of the time
 * (calculated, with the measured clock). So what counts is how many there are. A rotation takes
 * three, or one where it is by whole bytes. In the plain form, a block of each message takes 3,369
 * (counted); here, 3,173:
 *
 *   1.06  this, 1 being the plain form (alternating runs)
 *   1.05  words swapped otherwise than by relaxed_swizzle: V8 makes five operations of a shuffle
 *   1.03  only S1 as it is here, where 25 = 6 + 3 + 16 and 11 = 3 + 8 save a rotation (S0 has no
 *         such sum), and the words swapped by relaxed_swizzle
 *   1.02  only the words so
 *   0.93  the plain form with that S1, by swizzle with a constant instead of relaxed_swizzle
 *
 * The rest is what s0 and s1 of a word share: see `keep`. It takes a third copy of sixteen rounds,
 * with which the first 4 MiB of a process take 2 ms longer than with the plain form. With all rounds
 * written out, or with the words in locals, the plain form is not faster; with a fifth message,
 * scalar, in the same loop, the five together are 0.72 times as fast as the four alone (both
 * measured on an AMD Zen 4).
 *
 *   LANES_STATE    word 0 of lanes 0 1 2 3 | word 1 of lanes 0 1 2 3 | ... word 7
 *   LANES_SCRATCH  the schedule in the same order, 16 words of four lanes; then s0 of them; then s1
 */

import { BLOCKS_A_CALL } from "./hash";
import { HASH_DIGEST, HASH_STATE, LANES_SCRATCH, LANES_STATE } from "./memory";
import { K, sha256Blocks, sha256Init, words } from "./sha256";

/** Where the bytes of a vector come from when each word is rotated by 16, and to the right by 8. */
const HALVES: usize = memory.data<u8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const TURNED: usize = memory.data<u8>([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], 16);

// @ts-ignore: decorator
@inline function add(x: v128, y: v128): v128 { return i32x4.add(x, y); }
// @ts-ignore: decorator
@inline function xor(x: v128, y: v128): v128 { return v128.xor(x, y); }
// @ts-ignore: decorator
@inline function rot(x: v128, n: i32): v128 { return xor(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n)); }
/** The bytes of `x` in another order. No index is out of range, so relaxed_swizzle is the same everywhere. */
// @ts-ignore: decorator
@inline function bytes(x: v128, order: usize): v128 { return i8x16.relaxed_swizzle(x, v128.load(order)); }
// @ts-ignore: decorator
@inline function S0(x: v128): v128 { return xor(xor(rot(x, 2), rot(x, 13)), rot(x, 22)); }
// @ts-ignore: decorator
@inline function S1(x: v128): v128 { const r = rot(x, 3); return xor(rot(xor(x, bytes(r, HALVES)), 6), bytes(r, TURNED)); }
// @ts-ignore: decorator
@inline function s0(x: v128): v128 { return xor(xor(rot(x, 7), rot(x, 18)), i32x4.shr_u(x, 3)); }
// @ts-ignore: decorator
@inline function s1(x: v128): v128 { return xor(xor(rot(x, 17), rot(x, 19)), i32x4.shr_u(x, 10)); }
// @ts-ignore: decorator
@inline function ch(x: v128, y: v128, z: v128): v128 { return xor(z, v128.and(x, xor(y, z))); }
// @ts-ignore: decorator
@inline function maj(x: v128, y: v128, b: v128): v128 { return xor(v128.and(x, y), b); }
// @ts-ignore: decorator
@inline function k(p: usize, at: usize): v128 { return v128.load32_splat(p + at); }
// @ts-ignore: decorator
@inline function w(i: usize): v128 { return v128.load(LANES_SCRATCH + ((i & 15) << 4)); }
// @ts-ignore: decorator
@inline function put(i: usize, x: v128): void { v128.store(LANES_SCRATCH + (i << 4), x); }

// @ts-ignore: decorator
@inline function w0(i: usize): v128 { return v128.load(LANES_SCRATCH + 256 + ((i & 15) << 4)); }
// @ts-ignore: decorator
@inline function w1(i: usize): v128 { return v128.load(LANES_SCRATCH + 512 + ((i & 15) << 4)); }

/** Keeps s0 and s1 of `x`, which is word `i`: 18 = 2 + 16 and 19 = 2 + 17, so a rotation by 2 serves both. */
// @ts-ignore: decorator
@inline function keep(i: usize, x: v128): v128 {
  const r = rot(x, 2);
  v128.store(LANES_SCRATCH + 256 + (i << 4), xor(xor(rot(x, 7), bytes(r, HALVES)), i32x4.shr_u(x, 3)));
  v128.store(LANES_SCRATCH + 512 + (i << 4), xor(rot(xor(x, r), 17), i32x4.shr_u(x, 10)));
  return x;
}

/** The same of s0 alone. */
// @ts-ignore: decorator
@inline function keep0(i: usize, x: v128): v128 { v128.store(LANES_SCRATCH + 256 + (i << 4), s0(x)); return x; }

/** Word `i` of the schedule, sixteen words on, of s0 and s1 of the words that it takes them of. */
// @ts-ignore: decorator
@inline function next(i: usize, zero: v128, one: v128): v128 {
  const x = add(add(w(i), one), add(w(i + 9), zero));
  put(i, x);
  return x;
}

// @ts-ignore: decorator
@inline function state(i: usize): v128 { return v128.load(LANES_STATE + (i << 4)); }
// @ts-ignore: decorator
@inline function sum(i: usize, x: v128): v128 {
  const y = add(state(i), x);
  v128.store(LANES_STATE + (i << 4), y);
  return y;
}

/** Puts the initial hash value into a state. */
export function laneReset(state: usize): void {
  sha256Init();
  memory.copy(state, HASH_STATE, 32);
}

/** Works `count` blocks at `p` into one state. */
export function laneBlocks(state: usize, p: usize, count: u32): void {
  memory.copy(HASH_STATE, state, 32);
  for (; count > BLOCKS_A_CALL; count -= BLOCKS_A_CALL, p += BLOCKS_A_CALL << 6) sha256Blocks(p, BLOCKS_A_CALL);
  sha256Blocks(p, count);
  memory.copy(state, HASH_STATE, 32);
}

/** Puts what a state says, big-endian, into HASH_DIGEST. */
export function laneDigest(state: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(HASH_DIGEST + i, bswap(load<u32>(state + i)));
}

/** Works `count` blocks at each of four places into a state each. */
export function lanesBlocks(q0: usize, q1: usize, q2: usize, q3: usize, p0: usize, p1: usize, p2: usize, p3: usize, count: u32): void {
  gather(0, q0, q1, q2, q3);
  gather(4, q0, q1, q2, q3);
  while (count) {
    const part = min(count, BLOCKS_A_CALL), size = part << 6;
    rounds(p0, p1, p2, p3, part);
    p0 += size; p1 += size; p2 += size; p3 += size;
    count -= part;
  }
  scatter(0, q0, q1, q2, q3);
  scatter(4, q0, q1, q2, q3);
}

/** Puts the words `i` to `i + 3` of four states into LANES_STATE. */
// @ts-ignore: decorator
@inline function gather(i: usize, q0: usize, q1: usize, q2: usize, q3: usize): void {
  const at = i << 2, to = LANES_STATE + (i << 4);
  transpose(to, to + 16, to + 32, to + 48, v128.load(q0 + at), v128.load(q1 + at), v128.load(q2 + at), v128.load(q3 + at));
}

/** The other way. */
// @ts-ignore: decorator
@inline function scatter(i: usize, q0: usize, q1: usize, q2: usize, q3: usize): void {
  const at = i << 2;
  transpose(q0 + at, q1 + at, q2 + at, q3 + at, state(i), state(i + 1), state(i + 2), state(i + 3));
}

/** Puts the first words of four vectors to `p`, their second words to `q`, and so on. */
// @ts-ignore: decorator
@inline function transpose(p: usize, q: usize, r: usize, s: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const ef = i32x4.shuffle(a, b, 2, 6, 3, 7), gh = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(p, i64x2.shuffle(ab, cd, 0, 2));
  v128.store(q, i64x2.shuffle(ab, cd, 1, 3));
  v128.store(r, i64x2.shuffle(ef, gh, 0, 2));
  v128.store(s, i64x2.shuffle(ef, gh, 1, 3));
}

/** Puts the words `i` to `i + 3` of a block of each of the four messages into the schedule. */
// @ts-ignore: decorator
@inline function fill(i: usize, p0: usize, p1: usize, p2: usize, p3: usize): void {
  const at = i << 2, to = LANES_SCRATCH + (i << 4);
  transpose(to, to + 16, to + 32, to + 48, words(p0, at), words(p1, at), words(p2, at), words(p3, at));
}

/** Works blocks into LANES_STATE, all lanes. */
function rounds(p0: usize, p1: usize, p2: usize, p3: usize, count: u32): void {
  let a = state(0), b = state(1), c = state(2), d = state(3), e = state(4), f = state(5), g = state(6), h = state(7);
  // As in sha256.ts.
  let t: v128, x: v128, y = xor(b, c);
  for (; count > 0; count--, p0 += 64, p1 += 64, p2 += 64, p3 += 64) {
    fill(0, p0, p1, p2, p3); fill(4, p0, p1, p2, p3); fill(8, p0, p1, p2, p3); fill(12, p0, p1, p2, p3);
    t = add(add(h, k(K, 0)), w(0)); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
    t = add(add(g, k(K, 4)), keep0(1, w(1))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
    t = add(add(f, k(K, 8)), keep0(2, w(2))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
    t = add(add(e, k(K, 12)), keep0(3, w(3))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
    t = add(add(d, k(K, 16)), keep0(4, w(4))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
    t = add(add(c, k(K, 20)), keep0(5, w(5))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
    t = add(add(b, k(K, 24)), keep0(6, w(6))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
    t = add(add(a, k(K, 28)), keep0(7, w(7))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
    t = add(add(h, k(K, 32)), keep0(8, w(8))); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
    t = add(add(g, k(K, 36)), keep0(9, w(9))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
    t = add(add(f, k(K, 40)), keep0(10, w(10))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
    t = add(add(e, k(K, 44)), keep0(11, w(11))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
    t = add(add(d, k(K, 48)), keep0(12, w(12))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
    t = add(add(c, k(K, 52)), keep0(13, w(13))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
    t = add(add(b, k(K, 56)), keep(14, w(14))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
    t = add(add(a, k(K, 60)), keep(15, w(15))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
    // Of the words 16 to 47, both s0 and s1 are needed; of those before, s0, and of those behind, s1.
    for (let p = K + 64; p < K + 192; p += 64) {
      t = add(add(h, k(p, 0)), keep(0, next(0, w0(1), w1(14)))); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
      t = add(add(g, k(p, 4)), keep(1, next(1, w0(2), w1(15)))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
      t = add(add(f, k(p, 8)), keep(2, next(2, w0(3), w1(16)))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
      t = add(add(e, k(p, 12)), keep(3, next(3, w0(4), w1(17)))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
      t = add(add(d, k(p, 16)), keep(4, next(4, w0(5), w1(18)))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
      t = add(add(c, k(p, 20)), keep(5, next(5, w0(6), w1(19)))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
      t = add(add(b, k(p, 24)), keep(6, next(6, w0(7), w1(20)))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
      t = add(add(a, k(p, 28)), keep(7, next(7, w0(8), w1(21)))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
      t = add(add(h, k(p, 32)), keep(8, next(8, w0(9), w1(22)))); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
      t = add(add(g, k(p, 36)), keep(9, next(9, w0(10), w1(23)))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
      t = add(add(f, k(p, 40)), keep(10, next(10, w0(11), w1(24)))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
      t = add(add(e, k(p, 44)), keep(11, next(11, w0(12), w1(25)))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
      t = add(add(d, k(p, 48)), keep(12, next(12, w0(13), w1(26)))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
      t = add(add(c, k(p, 52)), keep(13, next(13, w0(14), w1(27)))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
      t = add(add(b, k(p, 56)), keep(14, next(14, w0(15), w1(28)))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
      t = add(add(a, k(p, 60)), keep(15, next(15, w0(16), w1(29)))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
    }
    t = add(add(h, k(K, 192)), next(0, w0(1), w1(14))); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
    t = add(add(g, k(K, 196)), next(1, w0(2), w1(15))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
    t = add(add(f, k(K, 200)), next(2, w0(3), s1(w(16)))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
    t = add(add(e, k(K, 204)), next(3, w0(4), s1(w(17)))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
    t = add(add(d, k(K, 208)), next(4, w0(5), s1(w(18)))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
    t = add(add(c, k(K, 212)), next(5, w0(6), s1(w(19)))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
    t = add(add(b, k(K, 216)), next(6, w0(7), s1(w(20)))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
    t = add(add(a, k(K, 220)), next(7, w0(8), s1(w(21)))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
    t = add(add(h, k(K, 224)), next(8, w0(9), s1(w(22)))); t = add(add(t, S1(e)), ch(e, f, g)); d = add(d, t); x = xor(a, b); t = add(t, maj(x, y, b)); h = add(t, S0(a));
    t = add(add(g, k(K, 228)), next(9, w0(10), s1(w(23)))); t = add(add(t, S1(d)), ch(d, e, f)); c = add(c, t); y = xor(h, a); t = add(t, maj(y, x, a)); g = add(t, S0(h));
    t = add(add(f, k(K, 232)), next(10, w0(11), s1(w(24)))); t = add(add(t, S1(c)), ch(c, d, e)); b = add(b, t); x = xor(g, h); t = add(t, maj(x, y, h)); f = add(t, S0(g));
    t = add(add(e, k(K, 236)), next(11, w0(12), s1(w(25)))); t = add(add(t, S1(b)), ch(b, c, d)); a = add(a, t); y = xor(f, g); t = add(t, maj(y, x, g)); e = add(t, S0(f));
    t = add(add(d, k(K, 240)), next(12, w0(13), s1(w(26)))); t = add(add(t, S1(a)), ch(a, b, c)); h = add(h, t); x = xor(e, f); t = add(t, maj(x, y, f)); d = add(t, S0(e));
    t = add(add(c, k(K, 244)), next(13, w0(14), s1(w(27)))); t = add(add(t, S1(h)), ch(h, a, b)); g = add(g, t); y = xor(d, e); t = add(t, maj(y, x, e)); c = add(t, S0(d));
    t = add(add(b, k(K, 248)), next(14, w0(15), s1(w(28)))); t = add(add(t, S1(g)), ch(g, h, a)); f = add(f, t); x = xor(c, d); t = add(t, maj(x, y, d)); b = add(t, S0(c));
    t = add(add(a, k(K, 252)), next(15, s0(w(16)), s1(w(29)))); t = add(add(t, S1(f)), ch(f, g, h)); e = add(e, t); y = xor(b, c); t = add(t, maj(y, x, c)); a = add(t, S0(b));
    a = sum(0, a); b = sum(1, b); c = sum(2, c); d = sum(3, d); e = sum(4, e); f = sum(5, f); g = sum(6, g); h = sum(7, h);
    y = xor(b, c);
  }
}
