/**
 * Writes tar headers: ustar where it can hold every field, a pax extended header before it where
 * it cannot (POSIX.1-2008 pax, "pax Interchange Format"). The same entry always gives the same
 * bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeHeader, endOfArchive, padding } from "./header.ts";
 *
 * const content = new TextEncoder().encode("hello\n");
 * const header = encodeHeader({ type: "file", path: "etc/motd", mode: 0o644, size: content.length });
 * const archive = new Blob([header, content, padding(content.length), endOfArchive()]);
 * assertEquals(archive.size, 512 + 512 + 1024);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_PAX_BYTES } from "../limits.ts";
import { encodeRecords, type PaxRecord, paxTime, type TarTime, xattrKey } from "./pax_records.ts";
import { sparseRecords } from "./sparse_map.ts";
import {
  beginBlock,
  BLOCK_SIZE,
  NAME_LENGTH,
  NUMBER,
  paddedSize,
  putNumber,
  putPath,
  putShortPath,
  seal,
} from "./ustar_block.ts";

export type { TarTime };

/** What an entry of an archive is. */
export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character"
  | "block"
  | "fifo";

/** One entry of an archive, without its content. */
export interface TarHeader {
  /** What it is. */
  readonly type: TarEntryType;
  /** Bytes where the name is not UTF-8. "" and "." are the root; "/" after a directory is added. */
  readonly path: string | Uint8Array;
  /** Target of a symlink (any text) or a hard link (a path of the archive). */
  readonly linkPath?: string | Uint8Array;
  /** Permission, setuid, setgid and sticky bits: 0 to 0o7777. */
  readonly mode: number;
  /** Default 0. */
  readonly uid?: number;
  /** Default 0. */
  readonly gid?: number;
  /** Bytes of content that follow; files only. Default 0. */
  readonly size?: number;
  /**
   * Bytes of a sparse file as it is restored, whose content begins with a map (see sparse_map.ts).
   * Default: it is not sparse.
   */
  readonly sparseSize?: number;
  /** Default 1970-01-01T00:00:00Z. */
  readonly mtime?: TarTime;
  /** Major number of a device. Default 0. */
  readonly major?: number;
  /** Minor number of a device. Default 0. */
  readonly minor?: number;
  /** Name of the owner. Default "". */
  readonly uname?: string;
  /** Name of the group. Default "". */
  readonly gname?: string;
  /** Extended attributes by full name, such as "security.capability". */
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | null;
}

/** The type flag of each type of entry, as the header has it. */
export const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** Largest value of a numeric field: seven octal digits, or eleven, and a NUL. */
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
/** Largest uid and gid of Linux, (uid_t)-1 included so that whatever was read can be written. */
const MAX_ID = 0xffffffff;

const OWNER_LENGTH = 32;
/** Name of every pax header: nothing in it depends on the process or on the entry. */
const PAX_NAME = "././@PaxHeader";
const SLASH = 0x2f;

const encoder = new TextEncoder();

/**
 * The header blocks of `entry`: 512 bytes, with a pax extended header before them where ustar
 * cannot hold a field. The content follows, then {@linkcode padding}.
 *
 * A name that is not UTF-8 stands in the ustar header as it is; where it is too long for that, the
 * pax records say `hdrcharset=BINARY`, as libarchive writes and GNU tar reads.
 *
 * @throws {LayerfsError} `unsupported` for a value that no tar header can carry
 */
export function encodeHeader(entry: TarHeader): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_SIZE);
  const records = fillBlock(block, entry);
  return records.length === 0 ? block : withRecords(records, block, entry.path);
}

/**
 * Writes the header of `entry` into `block`, which has 512 bytes, whatever they were.
 *
 * @returns false where one block cannot hold it; then what is in the block is of no use
 * @throws {LayerfsError} as {@linkcode encodeHeader}
 */
export function putHeader(block: Uint8Array, entry: TarHeader): boolean {
  return fillBlock(block, entry).length === 0;
}

/** Writes a ustar header. @returns what it cannot hold */
function fillBlock(block: Uint8Array, entry: TarHeader): PaxRecord[] {
  checkRanges(entry);
  const records: PaxRecord[] = [];
  beginBlock(block);
  addPath(block, entry, records);
  addLinkPath(block, entry, records);
  const size = entry.type === "file" ? entry.size ?? 0 : 0;
  putNumber(block, NUMBER.mode, entry.mode);
  putNumber(block, NUMBER.size, orRecord("size", size, MAX_OCTAL_11, records));
  putNumber(block, NUMBER.uid, orRecord("uid", entry.uid ?? 0, MAX_OCTAL_7, records));
  putNumber(block, NUMBER.gid, orRecord("gid", entry.gid ?? 0, MAX_OCTAL_7, records));
  if (entry.sparseSize !== undefined) records.push(...sparseRecords(entry.sparseSize));
  addTime(block, entry.mtime ?? { seconds: 0, nanoseconds: 0 }, records);
  addOwner(block, 265, "uname", entry.uname ?? "", records);
  addOwner(block, 297, "gname", entry.gname ?? "", records);
  const device = entry.type === "character" || entry.type === "block";
  putNumber(block, NUMBER.major, device ? entry.major ?? 0 : 0);
  putNumber(block, NUMBER.minor, device ? entry.minor ?? 0 : 0);
  addXattrs(entry.xattrs ?? null, records);
  seal(block, TYPE_FLAGS[entry.type]);
  return records;
}

/** The zero bytes that fill `size` bytes of content up to whole blocks: 0 to 511 of them. */
export function padding(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(paddedSize(size) - size);
}

/** The two zero blocks that end an archive. */
export function endOfArchive(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(2 * BLOCK_SIZE);
}

function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

/** The path as it is written: "./" for the root, and a directory's with a slash at the end. */
function entryPath(entry: TarHeader): Uint8Array {
  const path = toBytes(entry.path);
  if (path.length === 0) return encoder.encode("./");
  if (entry.type !== "directory" || path[path.length - 1] === SLASH) return path;
  const withSlash = new Uint8Array(path.length + 1);
  withSlash.set(path);
  withSlash[path.length] = SLASH;
  return withSlash;
}

function refuse(entry: TarHeader, what: string, value: string | number): LayerfsError {
  return new LayerfsError(
    "unsupported",
    `Cannot write ${describe(entry.path)} to a tar archive: ${what} is "${value}"`,
  );
}

function describe(path: string | Uint8Array): string {
  return `"${typeof path === "string" ? path : new TextDecoder().decode(path)}"`;
}

function checkRange(entry: TarHeader, what: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) throw refuse(entry, what, value);
}

function checkName(entry: TarHeader, name: string | Uint8Array | undefined): void {
  const hasNul = typeof name === "string" ? name.includes("\0") : name?.includes(0);
  if (hasNul) throw refuse(entry, "a name with a NUL byte", describe(name!));
}

function checkRanges(entry: TarHeader): void {
  const { mode, uid = 0, gid = 0, size = 0, sparseSize = 0, mtime, major = 0, minor = 0 } = entry;
  checkRange(entry, "mode", mode, 0o7777);
  checkRange(entry, "uid", uid, MAX_ID);
  checkRange(entry, "gid", gid, MAX_ID);
  checkRange(entry, "size", size, Number.MAX_SAFE_INTEGER);
  checkRange(entry, "size with its holes", sparseSize, Number.MAX_SAFE_INTEGER);
  checkRange(entry, "device major number", major, MAX_OCTAL_7);
  checkRange(entry, "device minor number", minor, MAX_OCTAL_7);
  if (mtime !== undefined) {
    checkRange(entry, "mtime in seconds", Math.abs(mtime.seconds), Number.MAX_SAFE_INTEGER);
    checkRange(entry, "mtime in nanoseconds", mtime.nanoseconds, 999_999_999);
  }
  checkName(entry, entry.path);
  checkName(entry, entry.linkPath);
  checkName(entry, entry.uname);
  checkName(entry, entry.gname);
  if ((entry.type === "symlink" || entry.type === "hardlink") !== (entry.linkPath !== undefined)) {
    throw refuse(entry, "the link target of this entry type", entry.linkPath ? "set" : "absent");
  }
}

/** `value` for the ustar field, or 0 there and a record where the field is too small. */
function orRecord(key: string, value: number, max: number, records: PaxRecord[]): number {
  if (value <= max) return value;
  records.push([key, String(value)]);
  return 0;
}

function addTime(block: Uint8Array, time: TarTime, records: PaxRecord[]): void {
  const whole = time.seconds >= 0 && time.seconds <= MAX_OCTAL_11;
  if (!whole || time.nanoseconds !== 0) records.push(["mtime", paxTime(time)]);
  putNumber(block, NUMBER.mtime, whole ? time.seconds : 0);
}

function addOwner(
  block: Uint8Array,
  offset: number,
  key: string,
  name: string,
  records: PaxRecord[],
): void {
  if (name === "") return;
  const bytes = encoder.encode(name);
  // The field ends with a NUL, so one byte less than it has.
  if (bytes.length < OWNER_LENGTH && isAscii(bytes)) return block.set(bytes, offset);
  records.push([key, bytes]);
}

function addPath(block: Uint8Array, entry: TarHeader, records: PaxRecord[]): void {
  const { type, path } = entry;
  if (typeof path === "string" && type !== "directory" && putShortPath(block, path)) return;
  const bytes = entryPath(entry);
  // POSIX: names of a ustar header are ASCII. Other encodings than UTF-8 can stand nowhere else.
  if ((isAscii(bytes) || !isUtf8(bytes)) && putPath(block, bytes)) return;
  records.push(["path", bytes]);
  block.set(bytes.subarray(0, NAME_LENGTH), 0);
}

function addLinkPath(block: Uint8Array, entry: TarHeader, records: PaxRecord[]): void {
  if (entry.linkPath === undefined) return;
  const target = toBytes(entry.linkPath);
  block.set(target.subarray(0, NAME_LENGTH), 157);
  if (target.length > NAME_LENGTH || (!isAscii(target) && isUtf8(target))) {
    records.push(["linkpath", target]);
  }
}

function addXattrs(xattrs: ReadonlyMap<string, Uint8Array> | null, records: PaxRecord[]): void {
  if (xattrs === null) return;
  const names = [...xattrs.keys()].sort();
  for (const name of names) records.push([xattrKey(name), xattrs.get(name) ?? new Uint8Array(0)]);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at]! >= 0x80) return false;
  return true;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/** The pax header block, its records filled up to whole blocks, then the entry's own header. */
function withRecords(
  records: PaxRecord[],
  header: Uint8Array,
  path: string | Uint8Array,
): Uint8Array<ArrayBuffer> {
  const binary = records.some(([key, value]) =>
    (key === "path" || key === "linkpath") && typeof value !== "string" && !isUtf8(value)
  );
  const body = encodeRecords(binary ? [["hdrcharset", "BINARY"], ...records] : records);
  if (body.length > MAX_PAX_BYTES) {
    throw new LayerfsError(
      "unsupported",
      `Cannot write ${describe(path)} to a tar archive: its extended header has ` +
        `"${body.length}" bytes, and readers stop at ${MAX_PAX_BYTES}`,
    );
  }
  const block = new Uint8Array(BLOCK_SIZE);
  beginBlock(block);
  encoder.encodeInto(PAX_NAME, block);
  putNumber(block, NUMBER.mode, 0o644);
  putNumber(block, NUMBER.size, body.length);
  seal(block, "x");
  const bodyEnd = BLOCK_SIZE + body.length;
  const headerStart = bodyEnd + padding(body.length).length;
  const whole = new Uint8Array(headerStart + BLOCK_SIZE);
  whole.set(block);
  whole.set(body, BLOCK_SIZE);
  whole.set(header, headerStart);
  return whole;
}
