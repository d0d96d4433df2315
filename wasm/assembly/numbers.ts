/*
 * Numbers of tar: octal and base-256 in header fields, decimal in pax records. Everything beyond
 * 2^53 - 1, which a JavaScript number could not hold exactly, is refused.
 */

import { fail, NEGATIVE, NUMBER, NUMBER_RANGE, PAX_NUMBER } from "./errors";

export const MAX_SAFE: i64 = 0x1fffffffffffff;

/** A header field of `length` bytes; blank is 0. Fails and returns 0 when it is no number. */
export function field(p: usize, length: u32): i64 {
  return load<u8>(p) & 0x80 ? base256(p, length) : octal(p, length);
}

/** As {@link field}, but refuses negative numbers. */
export function unsignedField(p: usize, length: u32): i64 {
  const value = field(p, length);
  if (value >= 0) return value;
  fail(NEGATIVE, p, length);
  return 0;
}

/** Big-endian two's complement; the topmost bit of the field only marks the encoding (GNU). */
function base256(p: usize, length: u32): i64 {
  const negative = (load<u8>(p) & 0x40) != 0;
  const flip: u64 = negative ? 0xff : 0;
  let value: u64 = 0;
  for (let i: u32 = 0; i < length; i++) {
    let byte = <u64>load<u8>(p + i) ^ flip;
    if (i == 0) byte &= 0x7f;
    if (value >> 45) {
      fail(NUMBER_RANGE, p, length);
      return 0;
    }
    value = (value << 8) | byte;
  }
  return negative ? ~(value as i64) : value as i64;
}

/** Spaces and NULs, octal digits, then nothing but spaces up to the first NUL. */
function octal(p: usize, length: u32): i64 {
  const end = p + length;
  let at = p;
  while (at < end && (load<u8>(at) == 0x20 || load<u8>(at) == 0)) at++;
  let value: i64 = 0;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 7) break;
    // 12 digits have 36 bits: no overflow.
    value = (value << 3) | digit;
  }
  for (; at < end && load<u8>(at) != 0; at++) {
    if (load<u8>(at) != 0x20) {
      fail(NUMBER, p, length);
      return 0;
    }
  }
  return value;
}

/** Where {@link decimal} stopped. */
export let decimalEnd: usize = 0;

/** Decimal digits, at least one, up to `end` or the first other byte. Fails when beyond 2^53 - 1. */
export function decimal(p: usize, end: usize): i64 {
  let value: i64 = 0;
  let at = p;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) break;
    value = value * 10 + digit;
    if (value > MAX_SAFE) {
      fail(NUMBER_RANGE, p, (end - p) as u32);
      decimalEnd = end;
      return 0;
    }
  }
  if (at == p) fail(PAX_NUMBER, p, (end - p) as u32);
  decimalEnd = at;
  return value;
}

/** A pax value that is a whole decimal number, not negative. */
export function decimalValue(p: usize, end: usize): i64 {
  const value = decimal(p, end);
  if (decimalEnd != end) fail(PAX_NUMBER, p, (end - p) as u32);
  return value;
}

/** Nanoseconds of the last {@link time}: 0..999,999,999, counted forwards also before 1970. */
export let timeNanoseconds: u32 = 0;

/** A pax time, "[-]seconds[.fraction]"; whole seconds, rounded down. */
export function time(p: usize, end: usize): i64 {
  const negative = p < end && load<u8>(p) == 0x2d;
  let seconds = decimal(p + (negative ? 1 : 0), end);
  let nanoseconds: u32 = 0;
  let rest = false;
  let at = decimalEnd;
  if (at < end && load<u8>(at) == 0x2e) {
    at++;
    let scale: u32 = 100_000_000;
    for (; at < end; at++) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      if (scale == 0 && digit != 0) rest = true;
      nanoseconds += digit * scale;
      scale /= 10;
    }
  }
  if (at != end) fail(PAX_NUMBER, p, (end - p) as u32);
  if (negative) {
    seconds = -seconds;
    // What is finer than a nanosecond makes a negative time earlier, as in GNU tar.
    if (rest) nanoseconds++;
    if (nanoseconds) {
      seconds--;
      nanoseconds = 1_000_000_000 - nanoseconds;
    }
  }
  timeNanoseconds = nanoseconds;
  return seconds;
}
