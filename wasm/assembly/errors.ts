/*
 * Why a scan stops: one number a reason, whose text stands in src/core/tar_errors.ts, with where
 * the entry starts, its name as far as it is known, and the bytes that are wrong.
 */

export const CHECKSUM: u32 = 1;
export const NUMBER: u32 = 2;
export const NUMBER_RANGE: u32 = 3;
export const NEGATIVE: u32 = 4;
export const ID_RANGE: u32 = 5;
export const UNKNOWN_TYPE: u32 = 6;
export const EMPTY_NAME: u32 = 7;
export const EMPTY_LINK: u32 = 8;
export const ABOVE_ROOT: u32 = 9;
export const LINK_ABOVE_ROOT: u32 = 10;
export const PATH_TOO_LONG: u32 = 11;
export const LINK_TOO_LONG: u32 = 12;
export const ROOT_NOT_DIRECTORY: u32 = 13;
export const LINK_TO_ROOT: u32 = 14;
export const DIRECTORY_DATA: u32 = 15;
export const PAX_TOO_LARGE: u32 = 16;
export const PAX_RECORD: u32 = 17;
export const PAX_NUL: u32 = 18;
export const PAX_NUMBER: u32 = 19;
export const PAX_GLOBAL_KEY: u32 = 20;
export const PAX_REPEATED: u32 = 21;
export const NAME_REPEATED: u32 = 22;
export const GLOBAL_ATTRIBUTES: u32 = 23;
export const SPARSE_MAP: u32 = 24;
export const SPARSE_SUM: u32 = 25;
export const SPARSE_VERSION: u32 = 26;
export const SPARSE_TYPE: u32 = 27;
export const SPARSE_TOO_LARGE: u32 = 28;
export const ENTRY_AFTER_END: u32 = 29;
export const EXTENSION_WITHOUT_ENTRY: u32 = 30;
export const TRUNCATED_HEADER: u32 = 31;
export const TRUNCATED_EXTENSION: u32 = 32;
export const TRUNCATED_SPARSE_MAP: u32 = 33;
export const TRUNCATED_DATA: u32 = 34;
export const BARE_WHITEOUT: u32 = 35;
export const WHITEOUT_DOT: u32 = 36;
export const WHITEOUT_CHILD: u32 = 37;
export const MEMORY: u32 = 38;
export const LINK_TO_SELF: u32 = 39;

let code: u32 = 0;
let offset: f64 = 0;
let namePointer: usize = 0;
let nameLength: u32 = 0;
let textPointer: usize = 0;
let textLength: u32 = 0;

export function errorReset(): void {
  code = 0;
  nameLength = 0;
  textLength = 0;
}

/** From here on errors belong to the entry (or extension header) that starts at `at`. */
export function errorPlace(at: f64): void {
  offset = at;
  nameLength = 0;
}

/** The name of the entry that errors belong to. */
export function errorName(pointer: usize, length: u32): void {
  namePointer = pointer;
  nameLength = length;
}

/** Stops the scan. The first reason stands. */
export function fail(why: u32, pointer: usize = 0, length: u32 = 0): void {
  if (code) return;
  code = why;
  textPointer = pointer;
  textLength = length;
}

export function errorCode(): u32 { return code; }
export function errorOffset(): f64 { return offset; }
export function errorNamePointer(): usize { return namePointer; }
export function errorNameLength(): u32 { return nameLength; }
export function errorTextPointer(): usize { return textPointer; }
export function errorTextLength(): u32 { return textLength; }
