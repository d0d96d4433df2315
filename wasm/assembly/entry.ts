/*
 * One entry: the header block, joined with the extended headers before it, becomes an ENTRY record.
 */

import {
  DIRECTORY_DATA, EMPTY_LINK, EMPTY_NAME, errorCode, errorName, fail, ID_RANGE, LINK_ABOVE_ROOT,
  LINK_TO_ROOT, LINK_TO_SELF, LINK_TOO_LONG, NAME_REPEATED, PATH_TOO_LONG,
  ROOT_NOT_DIRECTORY, SPARSE_MAP, SPARSE_TYPE, SPARSE_VERSION, UNKNOWN_TYPE,
} from "./errors";
import { emitEntry, emitFlush, ENTRY_HEAD, LINK_ASCII, out, PATH_ASCII, WITH_HOLES } from "./events";
import { GNU_LINK, GNU_PATH, HEADER_LINK, HEADER_PATH, PAX_LINK, PAX_PATH, SPARSE_PATH } from "./memory";
import { isAscii, normalise, ORDINARY, whiteout } from "./names";
import { field, unsignedField } from "./numbers";
import {
  GID, globalAttributesLength, LINK, MAJOR, MAX_ID, MINOR, MTIME, PATH, paxAttributes,
  paxAttributesLength, paxEffective, paxGid, paxHas, paxLinkLength, paxMajor, paxMinor,
  paxNanoseconds, paxPathLength, paxReset, paxSeconds, paxSize, paxUid, SIZE, SPARSE, SPARSE_BLOCKS,
  SPARSE_NAME, SPARSE_SIZE, sparseBlocks, sparseMajor, sparseMinor, sparseNameLength, sparseSize, UID,
} from "./pax";
import { seenInsert } from "./seen";
import { sparseCheck, sparseCount, sparseRegions, sparseRewind, sparseSlots } from "./sparse";

export const FILE: u32 = 0;
export const DIRECTORY: u32 = 1;
const SYMLINK: u32 = 2;
const HARDLINK: u32 = 3;
const CHARACTER: u32 = 4;
const BLOCK: u32 = 5;
const FIFO: u32 = 6;

/** How the data are stored. */
export const PLAIN: u32 = 0;
export const OLD_SPARSE: u32 = 1;
export const PAX_SPARSE: u32 = 2;
export const TEXT_SPARSE: u32 = 3;

/** Bytes of data in the archive, a sparse map of version 1.0 included. */
export let stored: i64 = 0;
export let notation: u32 = PLAIN;
/** Whether old GNU sparse blocks follow. */
export let extended: bool = false;

let type: u32 = 0;
let mode: u32 = 0;
let uid: i64 = 0;
let gid: i64 = 0;
let seconds: i64 = 0;
let major: i64 = 0;
let minor: i64 = 0;
/** Size of a sparse file as restored. */
let realSize: i64 = 0;
let path: usize = 0;
let pathLength: u32 = 0;
let link: usize = 0;
let linkLength: u32 = 0;
let gnuPathLength: u32 = 0;
let gnuLinkLength: u32 = 0;

export function entryReset(): void {
  gnuPathLength = 0;
  gnuLinkLength = 0;
  paxReset();
}

/** Bytes of a GNU long name, up to its first NUL; `link` tells 'K' from 'L'. */
export function entryGnuName(isLink: bool, length: u32): void {
  const text = textLength(isLink ? GNU_LINK : GNU_PATH, length);
  if (isLink) gnuLinkLength = text;
  else gnuPathLength = text;
  if (!text) fail(isLink ? EMPTY_LINK : EMPTY_NAME);
}

/** Length of a text that ends with a NUL or after `cap` bytes. */
function textLength(p: usize, cap: u32): u32 {
  let length: u32 = 0;
  while (length < cap && load<u8>(p + length)) length++;
  return length;
}

// @ts-ignore: decorator
@inline function isUstar(p: usize): bool {
  return load<u32>(p, 257) == 0x61747375 && load<u8>(p, 261) == 0x72;
}

/** Reads a header block that is none of an extended header. */
export function entryHeader(p: usize): void {
  const posix = isUstar(p) && load<u8>(p, 262) == 0;
  const gnu = isUstar(p) && load<u8>(p, 262) == 0x20;
  names(p, posix);
  mode = (unsignedField(p + 100, 8) as u32) & 0o7777;
  uid = paxEffective(UID) ? paxUid() : unsignedField(p + 108, 8);
  gid = paxEffective(GID) ? paxGid() : unsignedField(p + 116, 8);
  if (uid > MAX_ID) fail(ID_RANGE, p + 108, 8);
  if (gid > MAX_ID) fail(ID_RANGE, p + 116, 8);
  seconds = paxEffective(MTIME) ? paxSeconds() : field(p + 136, 12);
  const flag = load<u8>(p, 156);
  kind(flag);
  major = 0;
  minor = 0;
  if (type == CHARACTER || type == BLOCK) {
    major = paxHas & MAJOR ? paxMajor : unsignedField(p + 329, 8);
    minor = paxHas & MINOR ? paxMinor : unsignedField(p + 337, 8);
    if (major > 0xffffffff || minor > 0xffffffff) fail(ID_RANGE, p + 329, 16);
  }
  stored = 0;
  if (type == FILE) stored = paxHas & SIZE ? paxSize : unsignedField(p + 124, 12);
  notation = PLAIN;
  extended = false;
  if (flag == 0x53) oldSparse(p, gnu); // 'S'
  else if (paxHas & SPARSE) paxSparse();
  if (type == FILE && pathLength && load<u8>(path + pathLength - 1) == 0x2f) {
    type = DIRECTORY;
    if (stored || notation) fail(DIRECTORY_DATA);
  }
}

function kind(flag: u8): void {
  if (flag == 0x30 || flag == 0 || flag == 0x37 || flag == 0x53) type = FILE;
  else if (flag == 0x31) type = HARDLINK;
  else if (flag == 0x32) type = SYMLINK;
  else if (flag == 0x33) type = CHARACTER;
  else if (flag == 0x34) type = BLOCK;
  else if (flag == 0x35) type = DIRECTORY;
  else if (flag == 0x36) type = FIFO;
  else {
    store<u8>(HEADER_LINK, flag);
    fail(UNKNOWN_TYPE, HEADER_LINK, 1);
  }
}

/** Decides which name and link name hold: of pax, of GNU, or of the header. */
function names(p: usize, posix: bool): void {
  let length: u32 = 0;
  if (posix && load<u8>(p, 345)) {
    // star keeps times in the last 24 bytes of the prefix, and says so at the end of the block.
    length = textLength(p + 345, load<u32>(p, 508) == 0x00726174 ? 131 : 155);
    memory.copy(HEADER_PATH, p + 345, length);
    store<u8>(HEADER_PATH + length, 0x2f);
    length++;
  }
  const own = textLength(p, 100);
  memory.copy(HEADER_PATH + length, p, own);
  path = HEADER_PATH;
  pathLength = length + own;
  if (gnuPathLength) {
    path = GNU_PATH;
    pathLength = gnuPathLength;
  }
  if (paxHas & PATH) {
    path = PAX_PATH;
    pathLength = paxPathLength;
  }
  if (paxHas & SPARSE_NAME) {
    path = SPARSE_PATH;
    pathLength = sparseNameLength;
  }
  errorName(path, pathLength);
  // Readers differ about which of the two wins: Go takes the GNU name, GNU tar the other one.
  if ((gnuPathLength && paxHas & (PATH | SPARSE_NAME)) || (gnuLinkLength && paxHas & LINK)) {
    fail(NAME_REPEATED);
  }
  link = HEADER_LINK;
  linkLength = textLength(p + 157, 100);
  memory.copy(HEADER_LINK, p + 157, linkLength);
  if (gnuLinkLength) {
    link = GNU_LINK;
    linkLength = gnuLinkLength;
  }
  if (paxHas & LINK) {
    link = PAX_LINK;
    linkLength = paxLinkLength;
  }
}

function oldSparse(p: usize, gnu: bool): void {
  if (!gnu || paxHas & SPARSE) return fail(SPARSE_TYPE);
  notation = OLD_SPARSE;
  realSize = unsignedField(p + 483, 12);
  sparseSlots(p + 386, 4);
  extended = load<u8>(p, 482) != 0;
}

/** The extension block at `p` of an old GNU sparse header. */
export function entryExtension(p: usize): void {
  sparseSlots(p, 21);
  extended = load<u8>(p, 504) != 0;
}

function paxSparse(): void {
  if (type != FILE) return fail(SPARSE_TYPE);
  if (!(paxHas & SPARSE_SIZE)) return fail(SPARSE_MAP);
  realSize = sparseSize;
  if (sparseMajor == 1 && sparseMinor == 0) {
    notation = TEXT_SPARSE;
    if (sparseCount()) fail(SPARSE_VERSION);
  } else if (sparseMajor == 0 && sparseMinor <= 1) {
    notation = PAX_SPARSE;
    if (paxHas & SPARSE_BLOCKS && sparseBlocks != (sparseCount() as i64)) fail(SPARSE_MAP);
  } else fail(SPARSE_VERSION);
}

/** Emits the ENTRY; `mapSize` of the stored bytes were its sparse map. */
export function entryEmit(offset: f64, mapSize: i64, maxPath: u32): void {
  if (errorCode()) return;
  stored -= mapSize;
  if (notation) {
    sparseCheck(realSize, stored);
    sparseRewind();
  }
  const to = out + ENTRY_HEAD;
  const length = entryPath(to, maxPath);
  const hidden = errorCode() ? ORDINARY : whiteout(to, length);
  let flags: u32 = notation ? WITH_HOLES : 0;
  if (isAscii(to, length)) flags |= PATH_ASCII;
  const linked = entryLink(to, length, maxPath);
  if (isAscii(to + length, linked)) flags |= LINK_ASCII;
  if (errorCode()) return;
  const node = hidden == ORDINARY ? seenInsert(to, length) : 0;
  if (errorCode()) return;
  const attributes = paxAttributesLength + globalAttributesLength;
  store<f64>(out, offset, 8);
  store<f64>(out, <f64>(notation ? realSize : stored), 16);
  store<f64>(out, <f64>seconds, 24);
  store<u32>(out, uid as u32, 32);
  store<u32>(out, gid as u32, 36);
  store<u32>(out, paxEffective(MTIME) ? paxNanoseconds() : 0, 40);
  store<u32>(out, mode, 44);
  store<u32>(out, type, 48);
  store<u32>(out, flags, 52);
  store<u32>(out, major as u32, 56);
  store<u32>(out, minor as u32, 60);
  store<u32>(out, node as u32, 64);
  store<u32>(out, length, 68);
  store<u32>(out, linked, 72);
  store<u32>(out, hidden, 76);
  store<u32>(out, paxAttributes as u32, 80);
  store<u32>(out, paxAttributesLength, 84);
  store<u32>(out, globalAttributesLength, 88);
  store<u32>(out, sparseRegions() as u32, 92);
  store<u32>(out, sparseCount(), 96);
  emitEntry(length + linked);
  if (attributes || notation) emitFlush();
}

function entryPath(to: usize, maxPath: u32): u32 {
  if (!pathLength) fail(EMPTY_NAME);
  if (pathLength >= maxPath) fail(PATH_TOO_LONG, path, 256);
  const length = normalise(path, pathLength, to, maxPath);
  if (!length && type != DIRECTORY) fail(ROOT_NOT_DIRECTORY);
  return length;
}

/** Writes the link name behind the path at `to`; returns its length. */
function entryLink(to: usize, length: u32, maxPath: u32): u32 {
  if (type != SYMLINK && type != HARDLINK) return 0;
  if (!linkLength) fail(EMPTY_LINK);
  if (linkLength >= maxPath) fail(LINK_TOO_LONG, link, 256);
  if (errorCode()) return 0;
  if (type == SYMLINK) {
    memory.copy(to + length, link, linkLength);
    return linkLength;
  }
  const linked = normalise(link, linkLength, to + length, maxPath, LINK_ABOVE_ROOT, LINK_TOO_LONG);
  if (errorCode()) return 0;
  if (!linked) fail(LINK_TO_ROOT);
  else if (linked == length && memory.compare(to, to + length, length) == 0) fail(LINK_TO_SELF);
  return linked;
}
