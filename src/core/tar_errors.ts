/**
 * What the tar scanner in WebAssembly refuses, in words. The numbers are those of
 * wasm/assembly/errors.ts.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

/** The state found, in the order of wasm/assembly/errors.ts from 1 on. */
const REASONS: readonly string[] = [
  "the checksum of the header is wrong: found",
  "a number in the header is malformed: found",
  "a number is beyond 2^53 - 1: found",
  "a number is negative: found",
  "an id is outside 0..4294967294 (of a device: 0..4294967295): found",
  "the type is unknown: found",
  "the name is empty",
  "the link has no target",
  'the name leads above the root with "..": found',
  'the target of the hard link leads above the root with "..": found',
  "the name is too long: found",
  "the target of the link is too long: found",
  "the root of the layer is not a directory",
  "the root of the layer is the target of a hard link",
  "a directory has contents",
  "the extended header is too large, its size field is",
  "a pax record is malformed: found",
  "a name in a pax record holds a NUL: found",
  "a number in a pax record is malformed: found",
  "a global pax header sets what only one entry can have: found",
  "two extended headers of one type stand before one entry: found",
  "it has both a GNU long name and a pax name",
  "the global pax headers have more than 64 KiB of extended attributes",
  "the sparse map is malformed",
  "the sparse map does not fit the size of the stored data",
  "the version of the sparse map is unknown",
  "a sparse map belongs to an entry that cannot have one",
  "the sparse map has more than 131072 regions",
  "it follows a single zero block, which ends the archive",
  "no entry follows the extended header",
  "the archive ends within the header",
  "the archive ends within the extended header",
  "the archive ends within the sparse map",
  "the archive ends within the contents",
  'the whiteout ".wh." names nothing',
  'a whiteout hides "." or ".."',
  "it lies below a whiteout",
  "the layer has more paths than fit in memory",
  "the hard link is its own target",
];

/** Where and why a scan stopped. */
export interface ScanFailure {
  /** Number in wasm/assembly/errors.ts. */
  readonly code: number;
  /** Offset in the stream of the header in question. */
  readonly headerOffset: number;
  /** Name of the entry as far as it was known, else "". */
  readonly name: string;
  /** The wrong bytes, else empty. */
  readonly found: Uint8Array;
}

/** The error "image-invalid" of a failure, naming the entry and where its header starts. */
export function scanError(failure: ScanFailure): LayerfsError {
  const { code, headerOffset, name, found } = failure;
  const reason = REASONS[code - 1] ?? `error ${code}`;
  const entry = name === "" ? "" : ` ${JSON.stringify(name)}`;
  const value = found.length === 0 ? "" : ` ${quote(found)}`;
  return new LayerfsError(
    "image-invalid",
    `Cannot read tar entry${entry} at byte ${headerOffset}: ${reason}${value}`,
    { entry: name, headerOffset },
  );
}

/** Bytes as a quoted string: printable ASCII as it is, everything else as \xNN; 64 bytes at most. */
function quote(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes.subarray(0, 64)) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}${bytes.length > 64 ? "…" : ""}"`;
}
