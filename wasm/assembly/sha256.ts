/*
 * SHA-256 (FIPS 180-4), one message at a time.
 *
 * The message schedule is computed in vectors, four words at a time, between the scalar rounds that
 * use what was computed sixteen rounds ago: a processor has pipes of their own for the two. A word
 * and its round constant are added in the vector and pass through HASH_WK, a ring of 16 words.
 * During the last sixteen rounds the ring is filled from the next block.
 *
 * Why it is written as it is (speed measured in V8 as Deno runs it on an AMD Zen 4, alternating
 * runs; 1 is all rounds and the schedule scalar, in locals):
 *
 *   1.51  this
 *   1.45  the words and constants through lanes of the vector, not through memory
 *   1.39  this, compiled with all of Binaryen's passes: see wasm/build.ts
 *   1.06  to 1.22: HASH_WK equal to HASH_STATE modulo 4096 (two such pairs of addresses, against
 *         ten others, all of them 1.51 to 1.52; whether an address is below 128 makes no difference)
 *   1.21  the schedule of four blocks at a time, one in each lane of a vector
 *   1.44  two messages in one loop, in total; the likely reason is too few registers
 *   0.85  hash-wasm's compiled C
 *
 * The lines but the first and the third are of trial builds, each beside the old code. Little seems
 * left: about 2,400 instructions a block (counted) in 440 cycles (from the rate and the clock).
 *
 * Deno checks the bounds of every access to memory, unless its address is a constant: hence the
 * fixed places of HASH_WK and of the constants.
 */

import { HASH_STATE, HASH_WK } from "./memory";

/** The round constants. */
export const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
], 16);

/** Where the bytes of a vector come from when those of each word are swapped. */
const SWAPPED: usize = memory.data<u8>([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12], 16);

// @ts-ignore: decorator
@inline function S0(x: u32): u32 { return rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22); }
// @ts-ignore: decorator
@inline function S1(x: u32): u32 { return rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25); }
// @ts-ignore: decorator
@inline function ch(x: u32, y: u32, z: u32): u32 { return z ^ (x & (y ^ z)); }
// @ts-ignore: decorator
@inline function rot(x: v128, n: i32): v128 { return v128.xor(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n)); }
// @ts-ignore: decorator
@inline function s0(x: v128): v128 { return v128.xor(v128.xor(rot(x, 7), rot(x, 18)), i32x4.shr_u(x, 3)); }
/** Of the lower half of each 64 bits of `x`, which holds a word twice: so a shift rotates it. */
// @ts-ignore: decorator
@inline function s1(x: v128): v128 { return v128.xor(v128.xor(i64x2.shr_u(x, 17), i64x2.shr_u(x, 19)), i32x4.shr_u(x, 10)); }

/** Four big-endian words. */
// @ts-ignore: decorator
@inline export function words(p: usize, at: usize): v128 {
  return i8x16.relaxed_swizzle(v128.load(p + at), v128.load(SWAPPED));
}

/** Four words of the schedule out of the sixteen before them. `zero` is made once, for all. */
// @ts-ignore: decorator
@inline function next(v0: v128, v1: v128, v2: v128, v3: v128, zero: v128): v128 {
  const nine = i8x16.shuffle(v2, v3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  const one = i8x16.shuffle(v0, v1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  let w = i32x4.add(i32x4.add(v0, nine), s0(one));
  // The last two depend on the first two.
  const low = s1(i32x4.shuffle(v3, v3, 2, 2, 3, 3));
  w = i32x4.add(w, high64(i32x4.shuffle(low, low, 0, 0, 0, 2), zero));
  const high = s1(i32x4.shuffle(w, w, 0, 0, 1, 1));
  return i32x4.add(w, low64(i32x4.shuffle(high, high, 0, 2, 0, 0), zero));
}

/** The upper half of `x`, below zeros. */
// @ts-ignore: decorator
@inline function high64(x: v128, zero: v128): v128 { return i8x16.shuffle(x, zero, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23); }
/** The lower half of `x`, above zeros. */
// @ts-ignore: decorator
@inline function low64(x: v128, zero: v128): v128 { return i8x16.shuffle(zero, x, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23); }

/** Puts four words of the schedule into the ring, and `k` bytes on in the table their constants. */
// @ts-ignore: decorator
@inline function put(at: usize, w: v128, k: usize): void { v128.store(HASH_WK + at, i32x4.add(w, v128.load(K + k))); }
// @ts-ignore: decorator
@inline function wk(at: usize): u32 { return load<u32>(HASH_WK + at); }

/** Puts the initial hash value into HASH_STATE. */
export function sha256Init(): void {
  store<u32>(HASH_STATE, 0x6a09e667, 0);
  store<u32>(HASH_STATE, 0xbb67ae85, 4);
  store<u32>(HASH_STATE, 0x3c6ef372, 8);
  store<u32>(HASH_STATE, 0xa54ff53a, 12);
  store<u32>(HASH_STATE, 0x510e527f, 16);
  store<u32>(HASH_STATE, 0x9b05688c, 20);
  store<u32>(HASH_STATE, 0x1f83d9ab, 24);
  store<u32>(HASH_STATE, 0x5be0cd19, 28);
}

/** Adds a word of HASH_STATE to what the rounds have made of it. */
// @ts-ignore: decorator
@inline function sum(at: usize, x: u32): u32 {
  const y = load<u32>(HASH_STATE + at) + x;
  store<u32>(HASH_STATE + at, y);
  return y;
}

/** Works `count` blocks of 64 bytes at `p` into HASH_STATE. */
export function sha256Blocks(p: usize, count: u32): void {
  if (!count) return;
  let a = load<u32>(HASH_STATE), b = load<u32>(HASH_STATE, 4), c = load<u32>(HASH_STATE, 8), d = load<u32>(HASH_STATE, 12);
  let e = load<u32>(HASH_STATE, 16), f = load<u32>(HASH_STATE, 20), g = load<u32>(HASH_STATE, 24), h = load<u32>(HASH_STATE, 28);
  // maj(a, b, c) is (a ^ b) & (b ^ c) ^ b, and the a ^ b of a round is the b ^ c of the next.
  let t: u32, x: u32, y = b ^ c;
  const zero = i32x4(0, 0, 0, 0);
  let v0 = words(p, 0), v1 = words(p, 16), v2 = words(p, 32), v3 = words(p, 48);
  put(0, v0, 0); put(16, v1, 16); put(32, v2, 32); put(48, v3, 48);
  for (;;) {
    // Behind the last block, the ring is filled in vain, from that block again.
    if (--count) p += 64;
    t = S1(e); t += h + wk(0); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(4); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(8); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(12); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v0 = next(v0, v1, v2, v3, zero); put(0, v0, 64);
    t = S1(a); t += d + wk(16); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(20); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(24); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(28); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v1 = next(v1, v2, v3, v0, zero); put(16, v1, 80);
    t = S1(e); t += h + wk(32); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(36); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(40); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(44); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v2 = next(v2, v3, v0, v1, zero); put(32, v2, 96);
    t = S1(a); t += d + wk(48); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(52); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(56); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(60); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v3 = next(v3, v0, v1, v2, zero); put(48, v3, 112);
    t = S1(e); t += h + wk(0); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(4); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(8); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(12); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v0 = next(v0, v1, v2, v3, zero); put(0, v0, 128);
    t = S1(a); t += d + wk(16); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(20); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(24); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(28); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v1 = next(v1, v2, v3, v0, zero); put(16, v1, 144);
    t = S1(e); t += h + wk(32); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(36); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(40); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(44); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v2 = next(v2, v3, v0, v1, zero); put(32, v2, 160);
    t = S1(a); t += d + wk(48); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(52); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(56); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(60); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v3 = next(v3, v0, v1, v2, zero); put(48, v3, 176);
    t = S1(e); t += h + wk(0); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(4); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(8); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(12); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v0 = next(v0, v1, v2, v3, zero); put(0, v0, 192);
    t = S1(a); t += d + wk(16); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(20); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(24); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(28); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v1 = next(v1, v2, v3, v0, zero); put(16, v1, 208);
    t = S1(e); t += h + wk(32); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(36); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(40); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(44); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v2 = next(v2, v3, v0, v1, zero); put(32, v2, 224);
    t = S1(a); t += d + wk(48); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(52); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(56); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(60); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v3 = next(v3, v0, v1, v2, zero); put(48, v3, 240);
    t = S1(e); t += h + wk(0); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(4); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(8); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(12); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v0 = words(p, 0); put(0, v0, 0);
    t = S1(a); t += d + wk(16); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(20); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(24); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(28); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v1 = words(p, 16); put(16, v1, 16);
    t = S1(e); t += h + wk(32); t += ch(e, f, g); d += t; x = a ^ b; t += x & y ^ b; h = t + S0(a); t = S1(d); t += g + wk(36); t += ch(d, e, f); c += t; y = h ^ a; t += y & x ^ a; g = t + S0(h);
    t = S1(c); t += f + wk(40); t += ch(c, d, e); b += t; x = g ^ h; t += x & y ^ h; f = t + S0(g); t = S1(b); t += e + wk(44); t += ch(b, c, d); a += t; y = f ^ g; t += y & x ^ g; e = t + S0(f);
    v2 = words(p, 32); put(32, v2, 32);
    t = S1(a); t += d + wk(48); t += ch(a, b, c); h += t; x = e ^ f; t += x & y ^ f; d = t + S0(e); t = S1(h); t += c + wk(52); t += ch(h, a, b); g += t; y = d ^ e; t += y & x ^ e; c = t + S0(d);
    t = S1(g); t += b + wk(56); t += ch(g, h, a); f += t; x = c ^ d; t += x & y ^ d; b = t + S0(c); t = S1(f); t += a + wk(60); t += ch(f, g, h); e += t; y = b ^ c; t += y & x ^ c; a = t + S0(b);
    v3 = words(p, 48); put(48, v3, 48);
    a = sum(0, a); b = sum(4, b); c = sum(8, c); d = sum(12, d); e = sum(16, e); f = sum(20, f); g = sum(24, g); h = sum(28, h);
    if (!count) return;
    y = b ^ c;
  }
}
