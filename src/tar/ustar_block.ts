/**
 * The block of a ustar header, field by field (POSIX.1-2008 pax, "ustar Interchange Format").
 *
 * @module
 */

/** Bytes of a tar block: headers are one block, content is filled up to whole ones. */
export const BLOCK_SIZE = 512;

/** Bytes that `size` bytes of content take, filled up to whole blocks. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE;
}

/** Bytes of the field for names of 100 at most, which others that are longer begin in. */
export const NAME_LENGTH = 100;
/** Bytes of the field for what is before the name. */
const PREFIX_LENGTH = 155;
const PREFIX_OFFSET = 345;
const TYPE_OFFSET = 156;
const MAGIC_OFFSET = 257;

const SLASH = 0x2f;
const SPACE = 0x20;
const ZERO = 0x30;

/** Where a number stands: that many octal digits, and a NUL. */
interface NumberField {
  readonly offset: number;
  readonly digits: number;
}

/** The fields for numbers. */
export const NUMBER = {
  mode: { offset: 100, digits: 7 },
  uid: { offset: 108, digits: 7 },
  gid: { offset: 116, digits: 7 },
  size: { offset: 124, digits: 11 },
  mtime: { offset: 136, digits: 11 },
  major: { offset: 329, digits: 7 },
  minor: { offset: 337, digits: 7 },
} as const satisfies Record<string, NumberField>;

/** The sum of all bytes, this field being spaces; one of them stays behind the NUL. */
const CHECKSUM: NumberField = { offset: 148, digits: 6 };

/** A block with zero in every number, magic and version, and nothing else. */
const BLANK = new Uint8Array(BLOCK_SIZE);
for (const { offset, digits } of Object.values(NUMBER)) BLANK.fill(ZERO, offset, offset + digits);
BLANK.set(new TextEncoder().encode("ustar\u000000"), MAGIC_OFFSET);

/** Begins a header in `block`, which has {@linkcode BLOCK_SIZE} bytes, whatever they were. */
export function beginBlock(block: Uint8Array): void {
  block.set(BLANK);
}

/** Writes a number, once, into a block that was begun; it must fit. */
export function putNumber(block: Uint8Array, field: NumberField, value: number): void {
  let at = field.offset + field.digits - 1;
  let rest = value;
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 8)) block[at--] = ZERO + rest % 8;
  for (; rest > 0; rest >>= 3) block[at--] = ZERO + (rest & 7);
}

/**
 * Writes an ASCII path that the field for names can hold, without looking at all of it before.
 *
 * @returns false for any other; a part of it may stand in the field then
 */
export function putShortPath(block: Uint8Array, path: string): boolean {
  if (path === "" || path.length > NAME_LENGTH) return false;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code >= 0x80) return false;
    block[at] = code;
  }
  return true;
}

/** Writes a path. @returns false where no slash divides it so that both fields can hold their part */
export function putPath(block: Uint8Array, path: Uint8Array): boolean {
  if (path.length <= NAME_LENGTH) {
    block.set(path, 0);
    return true;
  }
  // The name must not be empty, so a directory's last slash does not divide.
  for (let at = path.length - NAME_LENGTH - 1; at <= PREFIX_LENGTH; at++) {
    if (path[at] === SLASH && at > 0 && at < path.length - 1) {
      block.set(path.subarray(0, at), PREFIX_OFFSET);
      block.set(path.subarray(at + 1), 0);
      return true;
    }
  }
  return false;
}

/** Puts what comes last: type and checksum. */
export function seal(block: Uint8Array, typeFlag: string): void {
  block[TYPE_OFFSET] = typeFlag.charCodeAt(0);
  const { offset, digits } = CHECKSUM;
  block.fill(SPACE, offset, offset + digits + 2);
  let sum = 0;
  for (let at = 0; at < BLOCK_SIZE; at++) sum += block[at]!;
  block.fill(ZERO, offset, offset + digits);
  putNumber(block, CHECKSUM, sum);
  block[offset + digits] = 0;
}
