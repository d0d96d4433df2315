/**
 * What find(1) prints of files, each field with a NUL behind it, as names may have any other byte.
 *
 * @module
 */

import type { Timestamp } from "./attributes.ts";

/** The fields of one file after another, `count` of them each; views of `bytes`. */
export function* findRecords(bytes: Uint8Array, count: number): Generator<Uint8Array[]> {
  for (let start = 0; start < bytes.length;) {
    const fields: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const end = bytes.indexOf(0, start);
      fields.push(bytes.subarray(start, end));
      start = end + 1;
    }
    yield fields;
  }
}

/** A field that has ASCII characters only. */
export function asciiField(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** A time (%T@, %C@). `-1.5000000000` is half a second before 1970: the fraction is never negative. */
export function parseFindTime(printed: string): Timestamp {
  const [seconds = "", fraction = ""] = printed.split(".");
  return { seconds: Number(seconds), nanoseconds: Number(fraction.slice(0, 9).padEnd(9, "0")) };
}
