/*
 * The map of a sparse file: where its data lie in the file as it is restored. Three notations end
 * here: the blocks of old GNU headers, the pax records of the versions 0.0 and 0.1, and the text
 * before the data of version 1.0.
 */

import { fail, MEMORY, SPARSE_MAP, SPARSE_SUM, SPARSE_TOO_LARGE } from "./errors";
import { alloc } from "./memory";
import { field, MAX_SAFE } from "./numbers";

/** Regions a map may have: 2 MiB of memory. What GNU tar writes for real files has hundreds. */
const MAX_REGIONS: u32 = 131072;

/** u64 offset, u64 length for each region; made with the first map of a layer. */
let regions: usize = 0;
let count: u32 = 0;
let sum: i64 = 0;
let last: i64 = 0;

/** After the heap was reset. */
export function sparseInit(): void {
  regions = 0;
  sparseReset();
}

export function sparseReset(): void {
  count = 0;
  sum = 0;
  last = 0;
}

export function sparseCount(): u32 { return count; }

/** Where they lie: a u64 offset and a u64 length each. */
export function sparseRegions(): usize { return regions; }

/** Adds a region; fails unless it lies behind all earlier ones. */
export function sparseAdd(offset: i64, length: i64): void {
  if (offset < last || length < 0 || offset + length > MAX_SAFE) return fail(SPARSE_MAP);
  if (count == MAX_REGIONS) return fail(SPARSE_TOO_LARGE);
  if (!regions) regions = alloc(MAX_REGIONS << 4);
  if (!regions) return fail(MEMORY);
  store<i64>(regions + (count << 4), offset);
  store<i64>(regions + (count << 4), length, 8);
  count++;
  sum += length;
  last = offset + length;
}

/** `slots` pairs of 12-byte fields at `p` (old GNU); the first pair without a length ends them. */
export function sparseSlots(p: usize, slots: u32): void {
  for (; slots; slots--, p += 24) {
    if (load<u8>(p) == 0 && load<u8>(p, 12) == 0) return;
    sparseAdd(field(p, 12), field(p + 12, 12));
  }
}

/** Fails unless the map fits a file of `size` bytes of which `stored` are in the archive. */
export function sparseCheck(size: i64, stored: i64): void {
  if (last > size) fail(SPARSE_MAP);
  else if (sum != stored) fail(SPARSE_SUM);
}

// Reading: one cursor over the regions.
let next: u32 = 0;
let at: i64 = 0;
let left: i64 = 0;

/** Goes to the start of the data. */
export function sparseRewind(): void {
  next = 0;
  left = 0;
}

/** Bytes of the region at the cursor; goes to the next region with any when it is used up. */
export function sparseLeft(): i64 {
  while (left == 0 && next < count) {
    at = load<i64>(regions + (next << 4));
    left = load<i64>(regions + (next << 4), 8);
    next++;
  }
  return left;
}

/** Where in the file the next byte goes. */
export function sparseAt(): i64 { return at; }

export function sparseAdvance(n: i64): void {
  at += n;
  left -= n;
}

// The text of version 1.0: a count, then offset and length of each region, one number a line.
let wanted: i64 = 0;
let value: i64 = 0;
let digits: u32 = 0;
let offset: i64 = 0;
let lines: i64 = 0;

export function sparseTextInit(): void {
  wanted = -1;
  lines = 0;
  value = 0;
  digits = 0;
}

/** Takes one byte of the text; true when the map is complete with it. */
export function sparseText(byte: u8): bool {
  if (byte != 0x0a) {
    const digit = <u32>byte - 0x30;
    value = value * 10 + digit;
    digits++;
    if (digit > 9 || value > MAX_SAFE || digits > 32) fail(SPARSE_MAP);
    return false;
  }
  if (!digits) fail(SPARSE_MAP);
  if (wanted < 0) {
    if (value > (MAX_REGIONS as i64)) fail(SPARSE_TOO_LARGE);
    wanted = value * 2;
  } else {
    lines++;
    if (lines & 1) offset = value;
    else sparseAdd(offset, value);
  }
  value = 0;
  digits = 0;
  return lines == wanted;
}
