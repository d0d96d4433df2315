/*
 * Names of entries: normalisation and what a whiteout's name means (image-spec, layer.md).
 */

import { ABOVE_ROOT, BARE_WHITEOUT, fail, PATH_TOO_LONG, WHITEOUT_CHILD, WHITEOUT_DOT } from "./errors";

const SLASH: u8 = 0x2f;
const DOT: u8 = 0x2e;
/** ".wh." as a little-endian word. */
const WH: u32 = 0x2e68772e;

export function isAscii(p: usize, length: u32): bool {
  let bits: u64 = 0;
  const end = p + length;
  for (; p + 8 <= end; p += 8) bits |= load<u64>(p);
  for (; p < end; p++) bits |= load<u8>(p);
  return (bits & 0x8080808080808080) == 0;
}

/**
 * Writes the normalised form of a name: no leading or trailing "/", no empty or "." component, ".."
 * resolved by the text alone, "" for the root. Returns its length; fails with `aboveRoot` or
 * `tooLong`. `out` has room for `cap` bytes.
 */
export function normalise(
  p: usize, length: u32, out: usize, cap: u32, aboveRoot: u32 = ABOVE_ROOT, tooLong: u32 = PATH_TOO_LONG,
): u32 {
  const name = p;
  const end = p + length;
  let to = out;
  while (p < end) {
    const start = p;
    while (p < end && load<u8>(p) != SLASH) p++;
    const size = (p - start) as u32;
    p++;
    if (size == 0 || (size == 1 && load<u8>(start) == DOT)) continue;
    if (size == 2 && load<u16>(start) == 0x2e2e) {
      if (to == out) {
        fail(aboveRoot, name, length);
        return 0;
      }
      do to--; while (to > out && load<u8>(to) != SLASH);
      continue;
    }
    if ((to - out) + size + (to != out ? 2 : 1) > <usize>cap) {
      fail(tooLong, name, min<u32>(length, 256));
      return 0;
    }
    if (to != out) store<u8>(to++, SLASH);
    memory.copy(to, start, size);
    to += size;
  }
  return (to - out) as u32;
}

export const ORDINARY: u32 = 0;
export const HIDE: u32 = 1;
export const OPAQUE: u32 = 2;
export const RESERVED: u32 = 3;

/**
 * What a normalised path is: ordinary, ".wh.NAME", ".wh..wh..opq", or another name below or at
 * ".wh..wh.", which aufs keeps for itself.
 */
export function whiteout(p: usize, length: u32): u32 {
  const end = p + length;
  let start = p;
  while (start < end) {
    let stop = start;
    while (stop < end && load<u8>(stop) != SLASH) stop++;
    const size = (stop - start) as u32;
    if (size >= 4 && load<u32>(start) == WH) {
      const kind = classify(start, size, stop == end);
      if (kind == OPAQUE && stop != end) return RESERVED;
      return kind;
    }
    start = stop + 1;
  }
  return ORDINARY;
}

function classify(p: usize, size: u32, last: bool): u32 {
  if (size >= 8 && load<u32>(p, 4) == WH) {
    return size == 12 && load<u32>(p, 8) == 0x71706f2e ? OPAQUE : RESERVED; // ".opq"
  }
  const hidden = size - 4;
  if (!last) fail(WHITEOUT_CHILD);
  else if (hidden == 0) fail(BARE_WHITEOUT);
  else if (load<u8>(p, 4) == DOT && (hidden == 1 || (hidden == 2 && load<u8>(p, 5) == DOT))) {
    fail(WHITEOUT_DOT);
  }
  return HIDE;
}
