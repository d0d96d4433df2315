/*
 * SHA-512 (FIPS 180-4): as sha256.ts, but the rounds 16 to 79 are a loop over 16 of them, because
 * 80 rounds of 64-bit words written out gain nothing (measured).
 */

import { HASH_STATE } from "./memory";

const K: usize = memory.data<u64>([
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
  0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
  0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
  0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
  0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
  0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
  0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
  0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
  0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
  0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
  0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
  0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
  0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
  0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
  0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
  0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
  0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
]);

// @ts-ignore: decorator
@inline function S0(x: u64): u64 { return rotr(x, 28) ^ rotr(x, 34) ^ rotr(x, 39); }
// @ts-ignore: decorator
@inline function S1(x: u64): u64 { return rotr(x, 14) ^ rotr(x, 18) ^ rotr(x, 41); }
// @ts-ignore: decorator
@inline function s0(x: u64): u64 { return rotr(x, 1) ^ rotr(x, 8) ^ (x >> 7); }
// @ts-ignore: decorator
@inline function s1(x: u64): u64 { return rotr(x, 19) ^ rotr(x, 61) ^ (x >> 6); }
// @ts-ignore: decorator
@inline function ch(x: u64, y: u64, z: u64): u64 { return z ^ (x & (y ^ z)); }
// @ts-ignore: decorator
@inline function maj(x: u64, y: u64, z: u64): u64 { return (x & y) | (z & (x | y)); }
// @ts-ignore: decorator
@inline function word(p: usize, at: usize): u64 { return bswap(load<u64>(p + at)); }

/** Puts the initial hash value into HASH_STATE. */
export function sha512Init(): void {
  store<u64>(HASH_STATE, 0x6a09e667f3bcc908, 0);
  store<u64>(HASH_STATE, 0xbb67ae8584caa73b, 8);
  store<u64>(HASH_STATE, 0x3c6ef372fe94f82b, 16);
  store<u64>(HASH_STATE, 0xa54ff53a5f1d36f1, 24);
  store<u64>(HASH_STATE, 0x510e527fade682d1, 32);
  store<u64>(HASH_STATE, 0x9b05688c2b3e6c1f, 40);
  store<u64>(HASH_STATE, 0x1f83d9abfb41bd6b, 48);
  store<u64>(HASH_STATE, 0x5be0cd19137e2179, 56);
}

/** Works `count` blocks of 128 bytes at `p` into HASH_STATE. */
export function sha512Blocks(p: usize, count: u32): void {
  for (; count > 0; count--, p += 128) block(p);
}

function block(p: usize): void {
  let a = load<u64>(HASH_STATE), b = load<u64>(HASH_STATE, 8), c = load<u64>(HASH_STATE, 16), d = load<u64>(HASH_STATE, 24);
  let e = load<u64>(HASH_STATE, 32), f = load<u64>(HASH_STATE, 40), g = load<u64>(HASH_STATE, 48), h = load<u64>(HASH_STATE, 56);
  let t: u64, w0: u64, w1: u64, w2: u64, w3: u64, w4: u64, w5: u64, w6: u64, w7: u64, w8: u64, w9: u64, w10: u64, w11: u64, w12: u64, w13: u64, w14: u64, w15: u64;
  let k = K;
  w0 = word(p, 0); t = h + S1(e) + ch(e, f, g) + load<u64>(k, 0) + w0; d += t; h = t + S0(a) + maj(a, b, c);
  w1 = word(p, 8); t = g + S1(d) + ch(d, e, f) + load<u64>(k, 8) + w1; c += t; g = t + S0(h) + maj(h, a, b);
  w2 = word(p, 16); t = f + S1(c) + ch(c, d, e) + load<u64>(k, 16) + w2; b += t; f = t + S0(g) + maj(g, h, a);
  w3 = word(p, 24); t = e + S1(b) + ch(b, c, d) + load<u64>(k, 24) + w3; a += t; e = t + S0(f) + maj(f, g, h);
  w4 = word(p, 32); t = d + S1(a) + ch(a, b, c) + load<u64>(k, 32) + w4; h += t; d = t + S0(e) + maj(e, f, g);
  w5 = word(p, 40); t = c + S1(h) + ch(h, a, b) + load<u64>(k, 40) + w5; g += t; c = t + S0(d) + maj(d, e, f);
  w6 = word(p, 48); t = b + S1(g) + ch(g, h, a) + load<u64>(k, 48) + w6; f += t; b = t + S0(c) + maj(c, d, e);
  w7 = word(p, 56); t = a + S1(f) + ch(f, g, h) + load<u64>(k, 56) + w7; e += t; a = t + S0(b) + maj(b, c, d);
  w8 = word(p, 64); t = h + S1(e) + ch(e, f, g) + load<u64>(k, 64) + w8; d += t; h = t + S0(a) + maj(a, b, c);
  w9 = word(p, 72); t = g + S1(d) + ch(d, e, f) + load<u64>(k, 72) + w9; c += t; g = t + S0(h) + maj(h, a, b);
  w10 = word(p, 80); t = f + S1(c) + ch(c, d, e) + load<u64>(k, 80) + w10; b += t; f = t + S0(g) + maj(g, h, a);
  w11 = word(p, 88); t = e + S1(b) + ch(b, c, d) + load<u64>(k, 88) + w11; a += t; e = t + S0(f) + maj(f, g, h);
  w12 = word(p, 96); t = d + S1(a) + ch(a, b, c) + load<u64>(k, 96) + w12; h += t; d = t + S0(e) + maj(e, f, g);
  w13 = word(p, 104); t = c + S1(h) + ch(h, a, b) + load<u64>(k, 104) + w13; g += t; c = t + S0(d) + maj(d, e, f);
  w14 = word(p, 112); t = b + S1(g) + ch(g, h, a) + load<u64>(k, 112) + w14; f += t; b = t + S0(c) + maj(c, d, e);
  w15 = word(p, 120); t = a + S1(f) + ch(f, g, h) + load<u64>(k, 120) + w15; e += t; a = t + S0(b) + maj(b, c, d);
  for (let i = 0; i < 4; i++) {
    k += 128;
    w0 += s1(w14) + w9 + s0(w1); t = h + S1(e) + ch(e, f, g) + load<u64>(k, 0) + w0; d += t; h = t + S0(a) + maj(a, b, c);
    w1 += s1(w15) + w10 + s0(w2); t = g + S1(d) + ch(d, e, f) + load<u64>(k, 8) + w1; c += t; g = t + S0(h) + maj(h, a, b);
    w2 += s1(w0) + w11 + s0(w3); t = f + S1(c) + ch(c, d, e) + load<u64>(k, 16) + w2; b += t; f = t + S0(g) + maj(g, h, a);
    w3 += s1(w1) + w12 + s0(w4); t = e + S1(b) + ch(b, c, d) + load<u64>(k, 24) + w3; a += t; e = t + S0(f) + maj(f, g, h);
    w4 += s1(w2) + w13 + s0(w5); t = d + S1(a) + ch(a, b, c) + load<u64>(k, 32) + w4; h += t; d = t + S0(e) + maj(e, f, g);
    w5 += s1(w3) + w14 + s0(w6); t = c + S1(h) + ch(h, a, b) + load<u64>(k, 40) + w5; g += t; c = t + S0(d) + maj(d, e, f);
    w6 += s1(w4) + w15 + s0(w7); t = b + S1(g) + ch(g, h, a) + load<u64>(k, 48) + w6; f += t; b = t + S0(c) + maj(c, d, e);
    w7 += s1(w5) + w0 + s0(w8); t = a + S1(f) + ch(f, g, h) + load<u64>(k, 56) + w7; e += t; a = t + S0(b) + maj(b, c, d);
    w8 += s1(w6) + w1 + s0(w9); t = h + S1(e) + ch(e, f, g) + load<u64>(k, 64) + w8; d += t; h = t + S0(a) + maj(a, b, c);
    w9 += s1(w7) + w2 + s0(w10); t = g + S1(d) + ch(d, e, f) + load<u64>(k, 72) + w9; c += t; g = t + S0(h) + maj(h, a, b);
    w10 += s1(w8) + w3 + s0(w11); t = f + S1(c) + ch(c, d, e) + load<u64>(k, 80) + w10; b += t; f = t + S0(g) + maj(g, h, a);
    w11 += s1(w9) + w4 + s0(w12); t = e + S1(b) + ch(b, c, d) + load<u64>(k, 88) + w11; a += t; e = t + S0(f) + maj(f, g, h);
    w12 += s1(w10) + w5 + s0(w13); t = d + S1(a) + ch(a, b, c) + load<u64>(k, 96) + w12; h += t; d = t + S0(e) + maj(e, f, g);
    w13 += s1(w11) + w6 + s0(w14); t = c + S1(h) + ch(h, a, b) + load<u64>(k, 104) + w13; g += t; c = t + S0(d) + maj(d, e, f);
    w14 += s1(w12) + w7 + s0(w15); t = b + S1(g) + ch(g, h, a) + load<u64>(k, 112) + w14; f += t; b = t + S0(c) + maj(c, d, e);
    w15 += s1(w13) + w8 + s0(w0); t = a + S1(f) + ch(f, g, h) + load<u64>(k, 120) + w15; e += t; a = t + S0(b) + maj(b, c, d);
  }
  add(0, a); add(8, b); add(16, c); add(24, d); add(32, e); add(40, f); add(48, g); add(56, h);
}

// @ts-ignore: decorator
@inline function add(at: usize, x: u64): void { store<u64>(HASH_STATE + at, load<u64>(HASH_STATE + at) + x); }
