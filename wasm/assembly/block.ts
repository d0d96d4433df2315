/*
 * A block of 512 bytes of a tar stream, as a whole.
 */

import { errorCode, errorReset } from "./errors";
import { field } from "./numbers";

/** Whether all bytes of the block at `p` are 0. */
export function isZero(p: usize): bool {
  let bits = v128.load(p);
  for (let i: usize = 16; i < 512; i += 16) bits = v128.or(bits, v128.load(p + i));
  return !v128.any_true(bits);
}

/**
 * Whether the checksum of the header at `p` is the sum of all bytes, itself counted as spaces; bytes
 * are signed in some old writers.
 */
export function checksumHolds(p: usize): bool {
  let sums = i16x8.splat(0);
  for (let i: usize = 0; i < 512; i += 16) {
    sums = i16x8.add(sums, i16x8.extadd_pairwise_i8x16_u(v128.load(p + i)));
  }
  const wide = i32x4.extadd_pairwise_i16x8_u(sums);
  let sum = i32x4.extract_lane(wide, 0) + i32x4.extract_lane(wide, 1) +
    i32x4.extract_lane(wide, 2) + i32x4.extract_lane(wide, 3);
  let signed: i32 = 0;
  for (let i: usize = 148; i < 156; i++) {
    sum += 0x20 - load<u8>(p + i);
    signed += 0x20 - load<i8>(p + i);
  }
  const wanted = field(p + 148, 8);
  if (errorCode()) {
    errorReset();
    return false;
  }
  if (wanted == sum) return true;
  for (let i: usize = 0; i < 512; i++) signed += load<i8>(p + i);
  return wanted == signed;
}
