/*
 * Extended headers (POSIX pax): records "length key=value\n" of 'x' (for the next entry) and 'g'
 * (for all that follow).
 *
 * Extended attributes are packed over the records that were read already, for the host:
 *
 *   +0 u32 length of the name; the topmost bit tells LIBARCHIVE.xattr. from SCHILY.xattr.
 *   +4 u32 length of the value
 *   +8     name, value
 *
 * which is always shorter than the record was.
 */

import {
  fail, GLOBAL_ATTRIBUTES, ID_RANGE, PATH_TOO_LONG, PAX_GLOBAL_KEY, PAX_NUL, PAX_NUMBER,
  PAX_RECORD, SPARSE_MAP,
} from "./errors";
import { GLOBALS, GLOBALS_SIZE, PAX_LINK, PAX_PATH, SPARSE_PATH } from "./memory";
import { decimal, decimalEnd, decimalValue, time, timeNanoseconds } from "./numbers";
import { sparseAdd, sparseCount } from "./sparse";

export const PATH: u32 = 1;
export const LINK: u32 = 2;
export const SIZE: u32 = 4;
export const UID: u32 = 8;
export const GID: u32 = 16;
export const MTIME: u32 = 32;
export const MAJOR: u32 = 64;
export const MINOR: u32 = 128;
export const SPARSE: u32 = 256;
export const SPARSE_NAME: u32 = 512;
export const SPARSE_SIZE: u32 = 1024;
export const SPARSE_BLOCKS: u32 = 2048;

/** Largest id: 2^32 - 1 would tell chown to change nothing. */
export const MAX_ID: i64 = 0xfffffffe;

/** What the 'x' header set, and what it removed although a 'g' header set it. */
export let paxHas: u32 = 0;
let removed: u32 = 0;
/** What the 'g' headers set. */
let globalHas: u32 = 0;

export let paxSize: i64 = 0;
export let paxPathLength: u32 = 0;
export let paxLinkLength: u32 = 0;
export let paxMajor: i64 = 0;
export let paxMinor: i64 = 0;
export let sparseMajor: i64 = 0;
export let sparseMinor: i64 = 0;
export let sparseSize: i64 = 0;
export let sparseBlocks: i64 = 0;
export let sparseNameLength: u32 = 0;
/** Packed extended attributes of the 'x' header. */
export let paxAttributes: usize = 0;
export let paxAttributesLength: u32 = 0;
export let globalAttributesLength: u32 = 0;

let uid: i64 = 0;
let gid: i64 = 0;
let seconds: i64 = 0;
let nanoseconds: u32 = 0;
let globalUid: i64 = 0;
let globalGid: i64 = 0;
let globalSeconds: i64 = 0;
let globalNanoseconds: u32 = 0;
/** GNU.sparse.offset of a pair whose GNU.sparse.numbytes is still to come, or -1. */
let pendingOffset: i64 = -1;

export function paxInit(): void {
  globalHas = 0;
  globalAttributesLength = 0;
  paxReset();
}

/** Forgets the 'x' header: its entry is done. */
export function paxReset(): void {
  paxHas = 0;
  removed = 0;
  paxAttributesLength = 0;
  pendingOffset = -1;
  sparseMajor = 0;
  sparseMinor = 0;
}

/** What holds of {@link UID}, {@link GID}, {@link MTIME}: set by either header and not removed. */
export function paxEffective(bit: u32): bool {
  return ((paxHas | (globalHas & ~removed)) & bit) != 0;
}
export function paxUid(): i64 { return paxHas & UID ? uid : globalUid; }
export function paxGid(): i64 { return paxHas & GID ? gid : globalGid; }
export function paxSeconds(): i64 { return paxHas & MTIME ? seconds : globalSeconds; }
export function paxNanoseconds(): u32 { return paxHas & MTIME ? nanoseconds : globalNanoseconds; }

/** Reads the records of an 'x' header. */
export function paxLocal(p: usize, length: u32): void {
  paxAttributes = p;
  paxAttributesLength = records(p, length, false);
  if (pendingOffset >= 0) fail(PAX_RECORD, p, min<u32>(length, 64));
}

/** Reads the records of a 'g' header; its extended attributes join those of earlier ones. */
export function paxGlobal(p: usize, length: u32): void {
  const packed = records(p, length, true);
  if (globalAttributesLength + packed > GLOBALS_SIZE) return fail(GLOBAL_ATTRIBUTES);
  memory.copy(GLOBALS + globalAttributesLength, p, packed);
  globalAttributesLength += packed;
}

/** Reads all records and returns how many bytes of packed attributes lie at `p` then. */
function records(p: usize, length: u32, global: bool): u32 {
  const end = p + length;
  const start = p;
  let out = p;
  while (p < end) {
    let size: usize = 0;
    let at = p;
    for (; at < end && at < p + 8; at++) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      size = size * 10 + digit;
    }
    const stop = p + size;
    if (
      at == p || at >= end || load<u8>(at) != 0x20 || stop > end || stop < at + 4 ||
      load<u8>(stop - 1) != 0x0a
    ) {
      fail(PAX_RECORD, p, min<u32>((end - p) as u32, 64));
      return 0;
    }
    const key = ++at;
    while (at < stop && load<u8>(at) != 0x3d && load<u8>(at) != 0) at++;
    if (at == stop || at == key || load<u8>(at) == 0) {
      fail(PAX_RECORD, p, min<u32>((end - p) as u32, 64));
      return 0;
    }
    out = attribute(key, at, stop - 1, out);
    if (out == 0) return 0;
    if (!packedOne) {
      if (global) globalRecord(key, (at - key) as u32, at + 1, stop - 1);
      else localRecord(key, (at - key) as u32, at + 1, stop - 1);
    }
    p = stop;
  }
  return (out - start) as u32;
}

let packedOne: bool = false;

/** Packs the record to `out` when it is an extended attribute; returns where the next one goes. */
function attribute(key: usize, keyEnd: usize, end: usize, out: usize): usize {
  const length = (keyEnd - key) as u32;
  let kind: u32 = 0;
  packedOne = true;
  if (length > 13 && is(key, 13, "SCHILY.xattr.")) key += 13;
  else if (length > 17 && is(key, 17, "LIBARCHIVE.xattr.")) {
    key += 17;
    kind = 0x80000000;
  } else {
    packedOne = false;
    return out;
  }
  const name = (keyEnd - key) as u32;
  const value = (end - keyEnd - 1) as u32;
  store<u32>(out, name | kind);
  store<u32>(out, value, 4);
  memory.copy(out + 8, key, name);
  memory.copy(out + 8 + name, keyEnd + 1, value);
  return out + 8 + name + value;
}

/** Whether the bytes at `p` are `text`, which is ASCII. */
function is(p: usize, length: u32, text: string): bool {
  if (<u32>text.length != length) return false;
  const t = changetype<usize>(text);
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(p + i) != load<u8>(t + (i << 1))) return false;
  }
  return true;
}

function globalRecord(key: usize, length: u32, p: usize, end: usize): void {
  const empty = p == end;
  if (is(key, length, "uid")) {
    globalHas = empty ? globalHas & ~UID : globalHas | UID;
    if (!empty) globalUid = id(p, end);
  } else if (is(key, length, "gid")) {
    globalHas = empty ? globalHas & ~GID : globalHas | GID;
    if (!empty) globalGid = id(p, end);
  } else if (is(key, length, "mtime")) {
    globalHas = empty ? globalHas & ~MTIME : globalHas | MTIME;
    if (empty) return;
    globalSeconds = time(p, end);
    globalNanoseconds = timeNanoseconds;
  } else if (
    // One name or size for all that follows is either an error or an attack: other readers differ.
    is(key, length, "path") || is(key, length, "linkpath") || is(key, length, "size") ||
    (length > 11 && is(key, 11, "GNU.sparse."))
  ) {
    fail(PAX_GLOBAL_KEY, key, length);
  }
}

function set(bit: u32, empty: bool): bool {
  paxHas = empty ? paxHas & ~bit : paxHas | bit;
  removed = empty ? removed | bit : removed & ~bit;
  return !empty;
}

function localRecord(key: usize, length: u32, p: usize, end: usize): void {
  const empty = p == end;
  if (is(key, length, "path")) {
    if (set(PATH, empty)) paxPathLength = name(p, end, PAX_PATH);
  } else if (is(key, length, "linkpath")) {
    if (set(LINK, empty)) paxLinkLength = name(p, end, PAX_LINK);
  } else if (is(key, length, "size")) {
    if (set(SIZE, empty)) paxSize = decimalValue(p, end);
  } else if (is(key, length, "uid")) {
    if (set(UID, empty)) uid = id(p, end);
  } else if (is(key, length, "gid")) {
    if (set(GID, empty)) gid = id(p, end);
  } else if (is(key, length, "mtime")) {
    if (!set(MTIME, empty)) return;
    seconds = time(p, end);
    nanoseconds = timeNanoseconds;
  } else if (is(key, length, "SCHILY.devmajor")) {
    if (set(MAJOR, empty)) paxMajor = decimalValue(p, end);
  } else if (is(key, length, "SCHILY.devminor")) {
    if (set(MINOR, empty)) paxMinor = decimalValue(p, end);
  } else if (length > 11 && is(key, 11, "GNU.sparse.")) {
    sparseRecord(key + 11, length - 11, p, end);
  }
}

function sparseRecord(key: usize, length: u32, p: usize, end: usize): void {
  paxHas |= SPARSE;
  if (is(key, length, "major")) sparseMajor = decimalValue(p, end);
  else if (is(key, length, "minor")) sparseMinor = decimalValue(p, end);
  else if (is(key, length, "size") || is(key, length, "realsize")) {
    paxHas |= SPARSE_SIZE;
    sparseSize = decimalValue(p, end);
  } else if (is(key, length, "numblocks")) {
    paxHas |= SPARSE_BLOCKS;
    sparseBlocks = decimalValue(p, end);
  } else if (is(key, length, "name")) {
    paxHas |= SPARSE_NAME;
    sparseNameLength = name(p, end, SPARSE_PATH);
  } else if (is(key, length, "offset")) {
    if (pendingOffset >= 0) fail(PAX_RECORD, p, (end - p) as u32);
    pendingOffset = decimalValue(p, end);
  } else if (is(key, length, "numbytes")) {
    if (pendingOffset < 0) fail(PAX_RECORD, p, (end - p) as u32);
    else sparseAdd(pendingOffset, decimalValue(p, end));
    pendingOffset = -1;
  } else if (is(key, length, "map")) {
    map(p, end);
  }
}

/** GNU.sparse.map: "offset,length,offset,length". */
function map(p: usize, end: usize): void {
  if (sparseCount() != 0) return fail(SPARSE_MAP, p, min<u32>((end - p) as u32, 64));
  if (p == end) return;
  const text = p;
  let offset: i64 = -1;
  for (;;) {
    const value = decimal(p, end);
    if (offset < 0) offset = value;
    else {
      sparseAdd(offset, value);
      offset = -1;
    }
    if (decimalEnd == end) break;
    if (load<u8>(decimalEnd) != 0x2c) return fail(PAX_NUMBER, p, (end - p) as u32);
    p = decimalEnd + 1;
  }
  if (offset >= 0) fail(PAX_RECORD, text, min<u32>((end - text) as u32, 64));
}

function id(p: usize, end: usize): i64 {
  const value = decimalValue(p, end);
  if (value > MAX_ID) fail(ID_RANGE, p, (end - p) as u32);
  return value;
}

/** Copies a name to one of the 4 KiB regions and returns its length. */
function name(p: usize, end: usize, to: usize): u32 {
  const length = (end - p) as u32;
  for (let at = p; at < end; at++) {
    if (load<u8>(at) == 0) {
      fail(PAX_NUL, p, min<u32>(length, 256));
      return 0;
    }
  }
  if (length >= maxName) {
    fail(PATH_TOO_LONG, p, min<u32>(length, 256));
    return 0;
  }
  memory.copy(to, p, length);
  return length;
}

let maxName: u32 = 4096;

/** Bytes of a name, its final NUL included. */
export function paxMaxName(cap: u32): void {
  maxName = cap;
}
