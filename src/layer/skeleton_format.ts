/**
 * The form of a layer's skeleton: its tar stream without the contents of the files in it.
 *
 * With the files of the layer's tree, a skeleton gives the stream back, whose digest is the diffID.
 *
 *     file     MAGIC, then chunks
 *     chunk    u32 bytes of the frame, u32 bytes of its content, then the frame: zstd (RFC 8878)
 *     content  whole records
 *     record   a byte of RecordKind, then by its kind:
 *       literal       number length, bytes            the stream's next bytes
 *       file          number length, bytes            path of a regular file, to be read from now on
 *       content       number offset, number length    the stream's next bytes: a range of that file
 *       checksum      u32                             CRC-32 of all ranges of that file, in their order
 *       place         number header, number length, bytes
 *                                                     resolved path of the entry whose header block is
 *                                                     there in the stream, where its name is another
 *       unverifiable  number length, UTF-8            why there is no skeleton; the only record
 *       end                                           the last record
 *     number   LEB128; u32 is little-endian; paths are relative to the root, as bytes
 *
 * @module
 */

/** What a skeleton begins with. The number is the version of the format. */
export const MAGIC = "layerfs-skeleton 1\n";

/** Most bytes of a chunk's content. */
export const CHUNK_BYTES = 1024 * 1024;

/** Bytes of the two lengths before a frame. */
export const CHUNK_HEAD = 8;

/** Most bytes of a number: 53 bits, 7 in each. */
export const MAX_NUMBER_BYTES = 8;

/** The first byte of a record. */
export const RECORD = {
  end: 0,
  literal: 1,
  file: 2,
  content: 3,
  checksum: 4,
  place: 5,
  unverifiable: 6,
} as const;

/** Writes a number below 2^53 at `at` of `bytes`; says where it ends. */
export function putNumber(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = rest % 0x80 | 0x80;
  bytes[at++] = rest;
  return at;
}
