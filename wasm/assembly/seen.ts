/*
 * The paths of one layer: a tree whose edges are found through one hash table.
 *
 *   node   +0  u32  parent node (0 for the root)
 *          +4  u32  hash
 *          +8  u32  length of the component
 *          +12 u32  state: 0 new, 1 implied (an ancestor of something seen), 2 seen
 *          +16      bytes of the component
 *
 *   table  u32[capacity]: node, or 0; open addressing, at most half full
 *
 * The key of a node is its parent and its component, compared byte by byte, so that a collision of
 * hashes never makes two paths one. The hash is SipHash-1-3 under a random key: an archive cannot
 * be made whose names all fall together.
 */

import { fail, MEMORY } from "./errors";
import { alloc, ROOT } from "./memory";

const NEW: u32 = 0;
const IMPLIED: u32 = 1;
const SEEN: u32 = 2;
const BYTES: usize = 16;

let key0: u64 = 0;
let key1: u64 = 0;
let table: usize = 0;
let capacity: u32 = 0;
let count: u32 = 0;

/** Empties the set. The table itself is made with the first path. */
export function seenReset(k0: u64, k1: u64): void {
  key0 = k0;
  key1 = k1;
  table = 0;
  capacity = 0;
  count = 0;
  memory.fill(ROOT, 0, BYTES);
}

/** Node of a normalised path (see names.ts), made with all its ancestors; 0 without memory. */
export function seenInsert(p: usize, length: u32): usize {
  return walk(p, length, true);
}

/** State of a normalised path; nothing is made. */
export function seenFind(p: usize, length: u32): u32 {
  const node = walk(p, length, false);
  return node ? load<u32>(node, 12) : NEW;
}

/** Marks a node as seen and its ancestors as implied; returns the state that it had. */
export function seenMark(node: usize): u32 {
  const before = load<u32>(node, 12);
  store<u32>(node, SEEN, 12);
  for (let up: usize = load<u32>(node); up && load<u32>(up, 12) == NEW; up = load<u32>(up)) {
    store<u32>(up, IMPLIED, 12);
  }
  return before;
}

function walk(p: usize, length: u32, make: bool): usize {
  const end = p + length;
  let node = ROOT;
  while (p < end && node) {
    let stop = p;
    while (stop < end && load<u8>(stop) != 0x2f) stop++;
    node = child(node, p, (stop - p) as u32, make);
    p = stop + 1;
  }
  return node;
}

function child(parent: usize, p: usize, length: u32, make: bool): usize {
  if (make && count * 2 >= capacity && !grow()) return 0;
  if (capacity == 0) return 0;
  const hash = siphash(parent as u32, p, length);
  let slot = hash & (capacity - 1);
  for (;;) {
    const node: usize = load<u32>(table + (slot << 2));
    if (!node) break;
    if (
      load<u32>(node, 4) == hash && load<u32>(node) == (parent as u32) &&
      load<u32>(node, 8) == length && memory.compare(node + BYTES, p, length) == 0
    ) return node;
    slot = (slot + 1) & (capacity - 1);
  }
  if (!make) return 0;
  const node = alloc(BYTES + length);
  if (!node) {
    fail(MEMORY);
    return 0;
  }
  store<u32>(node, parent as u32);
  store<u32>(node, hash, 4);
  store<u32>(node, length, 8);
  store<u32>(node, NEW, 12);
  memory.copy(node + BYTES, p, length);
  store<u32>(table + (slot << 2), node as u32);
  count++;
  return node;
}

/** Doubles the table. The old one stays behind as garbage: all of them together are one more. */
function grow(): bool {
  const larger: u32 = capacity ? capacity << 1 : 4096;
  const fresh = alloc(<usize>larger << 2);
  if (!fresh) {
    fail(MEMORY);
    return false;
  }
  memory.fill(fresh, 0, <usize>larger << 2);
  for (let i: u32 = 0; i < capacity; i++) {
    const node = load<u32>(table + (i << 2));
    if (!node) continue;
    let slot = load<u32>(node, 4) & (larger - 1);
    while (load<u32>(fresh + (slot << 2))) slot = (slot + 1) & (larger - 1);
    store<u32>(fresh + (slot << 2), node);
  }
  table = fresh;
  capacity = larger;
  return true;
}

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

// @ts-ignore: decorator
@inline function round(): void {
  v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
  v2 += v3; v3 = rotl(v3, 16) ^ v2;
  v0 += v3; v3 = rotl(v3, 21) ^ v0;
  v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
}

// @ts-ignore: decorator
@inline function word(m: u64): void { v3 ^= m; round(); v0 ^= m; }

/** SipHash-1-3 (Aumasson, Bernstein 2012) of the parent and the component. */
function siphash(parent: u32, p: usize, length: u32): u32 {
  v0 = key0 ^ 0x736f6d6570736575;
  v1 = key1 ^ 0x646f72616e646f6d;
  v2 = key0 ^ 0x6c7967656e657261;
  v3 = key1 ^ 0x7465646279746573;
  word((<u64>parent << 32) | length);
  const end = p + length;
  for (; p + 8 <= end; p += 8) word(load<u64>(p));
  let last: u64 = 0;
  for (let i: u64 = 0; p < end; p++, i += 8) last |= <u64>load<u8>(p) << i;
  word(last);
  v2 ^= 0xff;
  round(); round(); round();
  const h = v0 ^ v1 ^ v2 ^ v3;
  return (h ^ (h >> 32)) as u32;
}
