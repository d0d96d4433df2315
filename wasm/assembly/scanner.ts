/*
 * The state machine of a tar stream: windows of any size in, events out. File contents stay where
 * they are in the window; only headers that are split between two windows are copied.
 */

import { checksumHolds, isZero } from "./block";
import {
  CHECKSUM, ENTRY_AFTER_END, errorCode, errorPlace, errorReset, EXTENSION_WITHOUT_ENTRY, fail,
  MEMORY, PATH_TOO_LONG, PAX_REPEATED, PAX_TOO_LARGE, SPARSE_MAP, TRUNCATED_DATA,
  TRUNCATED_EXTENSION, TRUNCATED_HEADER, TRUNCATED_SPARSE_MAP,
} from "./errors";
import {
  entryEmit, entryExtension, entryGnuName, entryHeader, entryReset, extended, notation, PLAIN, stored,
  TEXT_SPARSE,
} from "./entry";
import { emitData, emitEnd, eventsReset, eventsRoom, eventsSize } from "./events";
import { alloc, GNU_LINK, GNU_PATH, HEADER, heapReset, NAME_SIZE, WINDOW } from "./memory";
import { unsignedField } from "./numbers";
import { paxGlobal, paxInit, paxLocal, paxMaxName } from "./pax";
import { seenReset } from "./seen";
import { sparseAdvance, sparseAt, sparseInit, sparseLeft, sparseReset, sparseText, sparseTextInit } from "./sparse";

// What the next byte belongs to.
const BLOCK: u32 = 0;
const EXTENSION: u32 = 1;
const PADDING: u32 = 2;
const SPARSE_BLOCK: u32 = 3;
const SPARSE_TEXT: u32 = 4;
const DATA: u32 = 5;
const ONE_ZERO: u32 = 6;
const DONE: u32 = 7;
const SPARSE_PADDING: u32 = 8;

// Extended headers met before the entry that they belong to.
const HAS_X: u32 = 1;
const HAS_L: u32 = 2;
const HAS_K: u32 = 4;

let state: u32 = BLOCK;
/** Position in the stream of the first byte of the window. */
let base: i64 = 0;
let cursor: usize = WINDOW;
let limit: usize = WINDOW;
/** Bytes of the block that already lie in HEADER. */
let fill: u32 = 0;
let maxPax: u32 = 0;
let maxPath: u32 = 0;
let paxBuffer: usize = 0;
let pending: u32 = 0;
/** Where the entry, or the extended header, starts. */
let start: f64 = 0;

// The extended header that is being read.
let flag: u8 = 0;
let buffer: usize = 0;
let length: u32 = 0;
let have: u32 = 0;

/** Bytes to come of data, then of padding. */
let left: i64 = 0;
let padding: u32 = 0;
/** Bytes of the sparse map text so far. */
let textSize: i64 = 0;
/** Position in the file of the next byte of data, when it is not sparse. */
let at: i64 = 0;

export function scanInit(paxCap: u32, pathCap: u32, k0: u32, k1: u32, k2: u32, k3: u32): void {
  heapReset();
  errorReset();
  seenReset((<u64>k0 << 32) | k1, (<u64>k2 << 32) | k3);
  sparseInit();
  paxInit();
  entryReset();
  maxPax = paxCap;
  maxPath = min(pathCap, NAME_SIZE);
  paxMaxName(maxPath);
  paxBuffer = 0;
  state = BLOCK;
  base = 0;
  cursor = limit = WINDOW;
  fill = 0;
  pending = 0;
  left = 0;
  padding = 0;
}

/** Announces the next `size` bytes of the stream, which lie in the window. */
export function scanFeed(size: u32): void {
  base += limit - WINDOW;
  cursor = WINDOW;
  limit = WINDOW + size;
}

/** 0: the window is used up; 1: more events are to come; 2: the archive is wrong. */
export function scanNext(): u32 {
  eventsReset();
  while (!errorCode() && eventsRoom()) {
    if (cursor == limit && !(state == DATA && left == 0)) return eventsSize();
    step();
  }
  return eventsSize() | (errorCode() ? 2 : 1);
}

function step(): void {
  if (state == DATA) data();
  else if (state == PADDING) pad();
  else if (state == EXTENSION) extension();
  else if (state == SPARSE_TEXT) text();
  else if (state == SPARSE_PADDING) textPadding();
  else if (state == DONE) cursor = limit;
  else {
    const p = takeBlock();
    if (!p) return;
    if (state == BLOCK) block(p);
    else if (state == SPARSE_BLOCK) sparseBlock(p);
    else afterZero(p);
  }
}

/** The next block of 512 bytes, in the window or in HEADER; 0 when the rest is still to come. */
function takeBlock(): usize {
  const size = (limit - cursor) as u32;
  if (fill == 0 && size >= 512) {
    cursor += 512;
    return cursor - 512;
  }
  const part = min<u32>(512 - fill, size);
  memory.copy(HEADER + fill, cursor, part);
  cursor += part;
  fill += part;
  if (fill < 512) return 0;
  fill = 0;
  return HEADER;
}

// @ts-ignore: decorator
@inline function position(): i64 { return base + (cursor - WINDOW); }

function block(p: usize): void {
  start = <f64>(position() - 512);
  errorPlace(start);
  if (isZero(p)) {
    if (pending) return fail(EXTENSION_WITHOUT_ENTRY);
    state = ONE_ZERO;
    return;
  }
  if (!checksumHolds(p)) return fail(CHECKSUM, p + 148, 8);
  const type = load<u8>(p, 156);
  if (type == 0x78 || type == 0x67 || type == 0x4c || type == 0x4b) return beginExtension(p, type);
  entryHeader(p);
  if (errorCode()) return;
  pending = 0;
  left = stored;
  padding = (-(stored as i32)) & 511;
  if (extended) state = SPARSE_BLOCK;
  else if (notation == TEXT_SPARSE) {
    sparseTextInit();
    textSize = 0;
    state = SPARSE_TEXT;
    if (!left) fail(SPARSE_MAP);
  } else emit(0);
}

function emit(mapSize: i64): void {
  entryEmit(start, mapSize, maxPath);
  entryReset();
  left = stored;
  at = 0;
  state = DATA;
}

/** Prepares to read the contents of an 'x', 'g', 'L' or 'K' header. */
function beginExtension(p: usize, type: u8): void {
  const bit = type == 0x78 ? HAS_X : type == 0x4c ? HAS_L : type == 0x4b ? HAS_K : 0;
  // Twice the same for one entry, or 'g' in between: readers differ about what holds then.
  if (pending & bit || (!bit && pending)) return fail(PAX_REPEATED, p + 156, 1);
  pending |= bit;
  const size = unsignedField(p + 124, 12);
  if (errorCode()) return;
  const isName = type == 0x4c || type == 0x4b;
  if (size > ((isName ? maxPath : maxPax) as i64)) {
    return fail(isName ? PATH_TOO_LONG : PAX_TOO_LARGE, p + 124, 12);
  }
  if (!isName && !paxBuffer) paxBuffer = alloc(maxPax);
  if (!isName && !paxBuffer) return fail(MEMORY);
  buffer = type == 0x4c ? GNU_PATH : type == 0x4b ? GNU_LINK : paxBuffer;
  flag = type;
  length = size as u32;
  have = 0;
  padding = (-(size as i32)) & 511;
  state = EXTENSION;
  if (!length) extension();
}

function extension(): void {
  const part = min<u32>(length - have, (limit - cursor) as u32);
  memory.copy(buffer + have, cursor, part);
  have += part;
  cursor += part;
  if (have < length) return;
  if (flag == 0x78) paxLocal(buffer, length);
  else if (flag == 0x67) paxGlobal(buffer, length);
  else entryGnuName(flag == 0x4b, length);
  state = padding ? PADDING : BLOCK;
}

function pad(): void {
  const part = min<u32>(padding, (limit - cursor) as u32);
  cursor += part;
  padding -= part;
  if (!padding) state = BLOCK;
}

function sparseBlock(p: usize): void {
  entryExtension(p);
  if (!extended) emit(0);
}

/** The map before the data of a sparse file of version 1.0, itself padded to blocks. */
function text(): void {
  while (cursor < limit) {
    if (!left) return fail(SPARSE_MAP);
    const byte = load<u8>(cursor);
    cursor++;
    left--;
    textSize++;
    const complete = sparseText(byte);
    if (errorCode()) return;
    if (!complete) continue;
    padding = (-(textSize as i32)) & 511;
    if (left < (padding as i64)) return fail(SPARSE_MAP);
    state = SPARSE_PADDING;
    return textPadding();
  }
}

function textPadding(): void {
  const part = min<u32>(padding, (limit - cursor) as u32);
  cursor += part;
  left -= part;
  textSize += part;
  padding -= part;
  if (padding) return;
  // What is left is padded as the whole was, because the map now is whole blocks.
  padding = (-(left as i32)) & 511;
  emit(textSize);
}

function data(): void {
  while (left && cursor < limit && eventsRoom()) {
    let part = min<i64>(left, limit - cursor);
    if (notation == PLAIN) {
      emitData(<f64>at, cursor, part as u32);
      at += part;
    } else {
      part = min<i64>(part, sparseLeft());
      emitData(<f64>sparseAt(), cursor, part as u32);
      sparseAdvance(part);
    }
    cursor += part as u32;
    left -= part;
  }
  if (left || !eventsRoom()) return;
  emitEnd();
  if (notation != PLAIN) sparseReset();
  state = padding ? PADDING : BLOCK;
}

/** One zero block ends the archive; a header right behind it would be read by some and not by others. */
function afterZero(p: usize): void {
  state = DONE;
  if (isZero(p)) return;
  errorPlace(<f64>(position() - 512));
  if (checksumHolds(p)) fail(ENTRY_AFTER_END);
  else errorReset();
}

/**
 * What the end of the stream at this point is: 0, or the number of an error. Padding may be missing
 * there: nothing of the last file is, and builders that write so (umoci insert) are read by all.
 */
export function scanEnd(): u32 {
  if (errorCode()) return errorCode();
  if (state == BLOCK) {
    errorPlace(<f64>(position() - fill));
    if (fill) fail(TRUNCATED_HEADER);
    else if (pending) fail(EXTENSION_WITHOUT_ENTRY);
  } else if (state == EXTENSION) fail(TRUNCATED_EXTENSION);
  else if (state == SPARSE_BLOCK || state == SPARSE_TEXT || state == SPARSE_PADDING) fail(TRUNCATED_SPARSE_MAP);
  else if (state == PADDING && pending) fail(TRUNCATED_EXTENSION);
  else if (state == DATA) fail(TRUNCATED_DATA);
  return errorCode();
}

/** Bytes of data and padding that may be left out before the next {@link scanFeed}. */
export function scanSkippable(): f64 {
  if (errorCode()) return 0;
  if (state == DATA) return <f64>(left + padding);
  return state == PADDING ? <f64>padding : 0;
}

/** Bytes of contents that come next, of a file that is not sparse; they may be left out, too. */
export function scanContents(): f64 {
  return errorCode() || state != DATA || notation != PLAIN ? 0 : <f64>left;
}

/** Goes on as if `size` bytes, at most {@link scanSkippable}, had been fed. */
export function scanSkip(size: f64): void {
  let n = size as i64;
  base += n;
  const part = min<i64>(n, left);
  n -= part;
  if (state == DATA) {
    left -= part;
    at += part;
    let rest = notation == PLAIN ? 0 : part;
    while (rest) {
      const here = min<i64>(rest, sparseLeft());
      sparseAdvance(here);
      rest -= here;
    }
  }
  padding -= n as u32;
  if (state == PADDING && !padding) state = BLOCK;
}
