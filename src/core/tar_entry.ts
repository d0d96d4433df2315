/**
 * A tar entry as the scanner shows it, and how it is decoded from an ENTRY record, which
 * wasm/assembly/events.ts draws.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { EVENTS } from "./instance.ts";
import { decodeUtf8, encodeName, hasRawName, type RawNames } from "./raw_name.ts";
import { unpackXattrs } from "./xattrs.ts";

/** What an entry creates. Regular files are "file", whatever of the five type flags they had. */
export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character"
  | "block"
  | "fifo";

/**
 * What the name of an entry means (image-spec, layer.md): "hide" is `.wh.NAME`, "opaque" is
 * `.wh..wh..opq`, "reserved" is any other name at or below `.wh..wh.*`, which is to be ignored.
 */
export type Whiteout = "none" | "hide" | "opaque" | "reserved";

/** A moment; nanoseconds 0..999,999,999 count forwards, so that -0.5 s is {-1, 500000000}. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Content of a sparse file that is no hole: where in the file it goes, and its bytes. */
export interface SparseRegion {
  readonly offset: number;
  readonly length: number;
}

/** One entry of a layer. */
export interface TarEntry {
  readonly type: TarEntryType;
  /**
   * Where it goes: relative to the root, without "." and empty components, ".." resolved by the
   * text alone; "" is the root itself. See raw_name.ts for names that are not UTF-8.
   */
  readonly path: string;
  /** Target: of a hard link normalised like `path`, of a symbolic link as it stands; else "". */
  readonly linkPath: string;
  /** Target of a symbolic link that is not UTF-8, else null. */
  readonly linkBytes: Uint8Array | null;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file as restored, holes included; 0 unless it is a file. */
  readonly size: number;
  /** Of a sparse file what is there, in the order of the offsets; null of any other. */
  readonly sparse: readonly SparseRegion[] | null;
  readonly mtime: TarTime;
  /** Numbers of a device, else 0. */
  readonly major: number;
  readonly minor: number;
  /** Extended attributes, names with their prefix ("user.x"); null when there are none. */
  readonly xattrs: ReadonlyMap<string, Uint8Array> | null;
  readonly whiteout: Whiteout;
  /** Of a "hide" whiteout the path hidden; of an "opaque" one the directory; else "". */
  readonly hidden: string;
  /** The same path came before in this layer. Never of a whiteout. */
  readonly duplicate: boolean;
  /** The path was an ancestor of an earlier path in this layer. Never of a whiteout. */
  readonly implied: boolean;
  /** Offset of its header block in the stream, for messages. */
  readonly headerOffset: number;
}

const TYPES: readonly TarEntryType[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character",
  "block",
  "fifo",
];
const WHITEOUTS: readonly Whiteout[] = ["none", "hide", "opaque", "reserved"];
const PATH_ASCII = 1;
const LINK_ASCII = 2;
const WITH_HOLES = 4;
const HEAD = 104;
/** Bytes of a region. */
const REGION = 16;
const GLOBALS = 0x30000;
const WHITEOUT_PREFIX = 4;
const SLASH = 0x2f;

/** Views of the whole linear memory. Its growth detaches them. */
export interface MemoryViews {
  readonly buffer: Buffer;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly floats: Float64Array;
}

/** Node (wasm/assembly/seen.ts) of the ENTRY record at byte `at`; 0 for a whiteout. */
export function entryNode(views: MemoryViews, at: number): number {
  return views.words[(at >> 2) + 16] ?? 0;
}

/**
 * Decodes the ENTRY record at byte `at`.
 *
 * @param text all records of the batch, one character a byte: ASCII names are cut out of it, which
 * takes a tenth of the time of decoding each (measured)
 * @param state what the path was before: 0, 1 or 2
 */
export function decodeEntry(
  views: MemoryViews,
  text: string,
  at: number,
  state: number,
  rawNames: RawNames,
): TarEntry {
  const word = (index: number) => views.words[(at >> 2) + index] ?? 0;
  const float = (index: number) => views.floats[(at >> 3) + index] ?? 0;
  const flags = word(13);
  const pathStart = at + HEAD;
  const pathEnd = pathStart + word(17);
  const linkEnd = pathEnd + word(18);
  const path = flags & PATH_ASCII
    ? text.slice(pathStart - EVENTS, pathEnd - EVENTS)
    : encodeName(views.bytes.subarray(pathStart, pathEnd), rawNames);
  const type = TYPES[word(12)] ?? "file";
  const link = flags & LINK_ASCII
    ? { path: text.slice(pathEnd - EVENTS, linkEnd - EVENTS), bytes: null }
    : decodeLink(views.bytes.subarray(pathEnd, linkEnd), type, rawNames);
  const whiteout = WHITEOUTS[word(19)] ?? "none";
  const headerOffset = float(1);
  return {
    type,
    path,
    linkPath: link.path,
    linkBytes: link.bytes,
    mode: word(11),
    uid: word(8),
    gid: word(9),
    size: float(2),
    sparse: flags & WITH_HOLES ? decodeRegions(views, word(23), word(24)) : null,
    mtime: { seconds: float(3), nanoseconds: word(10) },
    major: word(14),
    minor: word(15),
    xattrs: decodeXattrs(views, at, path, headerOffset),
    whiteout,
    hidden: hasRawName(path)
      ? rawHiddenBy(whiteout, views.bytes.subarray(pathStart, pathEnd), rawNames)
      : hiddenBy(whiteout, path),
    duplicate: state === 2,
    implied: state === 1,
    headerOffset,
  };
}

function decodeRegions({ bytes }: MemoryViews, pointer: number, count: number): SparseRegion[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + pointer, REGION * count);
  return Array.from({ length: count }, (_, index) => ({
    offset: Number(view.getBigUint64(REGION * index, true)),
    length: Number(view.getBigUint64(REGION * index + 8, true)),
  }));
}

/** A link name that is not ASCII. */
function decodeLink(
  bytes: Uint8Array,
  type: TarEntryType,
  rawNames: RawNames,
): { path: string; bytes: Uint8Array | null } {
  if (type === "hardlink") return { path: encodeName(bytes, rawNames), bytes: null };
  const text = decodeUtf8(bytes);
  return text === undefined
    ? { path: new TextDecoder().decode(bytes), bytes: bytes.slice() }
    : { path: text, bytes: null };
}

/** As {@linkcode hiddenBy}, for a path whose text has tokens in the place of names. */
function rawHiddenBy(whiteout: Whiteout, path: Uint8Array, rawNames: RawNames): string {
  if (whiteout === "none" || whiteout === "reserved") return "";
  const slash = path.lastIndexOf(SLASH);
  if (whiteout === "opaque") return encodeName(path.subarray(0, Math.max(slash, 0)), rawNames);
  const hidden = path.slice(0, path.length - WHITEOUT_PREFIX);
  hidden.set(path.subarray(slash + 1 + WHITEOUT_PREFIX), slash + 1);
  return encodeName(hidden, rawNames);
}

function hiddenBy(whiteout: Whiteout, path: string): string {
  if (whiteout === "none" || whiteout === "reserved") return "";
  const slash = path.lastIndexOf("/");
  if (whiteout === "opaque") return slash < 0 ? "" : path.slice(0, slash);
  return path.slice(0, slash + 1) + path.slice(slash + 1 + WHITEOUT_PREFIX);
}

function decodeXattrs(
  views: MemoryViews,
  at: number,
  path: string,
  headerOffset: number,
): ReadonlyMap<string, Uint8Array> | null {
  const pointer = views.words[(at >> 2) + 20] ?? 0;
  const length = views.words[(at >> 2) + 21] ?? 0;
  const globalLength = views.words[(at >> 2) + 22] ?? 0;
  if (length + globalLength === 0) return null;
  const xattrs = new Map<string, Uint8Array>();
  const entry = { path, headerOffset };
  unpackXattrs(views.bytes.subarray(GLOBALS, GLOBALS + globalLength), xattrs, entry);
  unpackXattrs(views.bytes.subarray(pointer, pointer + length), xattrs, entry);
  return xattrs.size === 0 ? null : xattrs;
}
