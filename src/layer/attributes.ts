/**
 * Owner, mode, times and extended attributes of one file, and what of them Deno can set itself.
 *
 * @module
 */

import fs from "node:fs";

/** A point in time: whole seconds since 1970 (negative before) and 0 to 999,999,999 ns more. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What a layer says of a file beside its content. */
export interface Attributes {
  /** The 12 permission bits, setuid, setgid and sticky among them. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Values by full name ("security.capability"); null for none. */
  readonly xattrs: ReadonlyMap<string, Uint8Array> | null;
}

/** What a directory gets that a layer needs but does not hold: the same for every run. */
export const IMPLIED_DIRECTORY: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: null,
};

const NANOSECONDS_PER_MILLISECOND = 1_000_000;

/** Seconds before and after 1970 that a Date goes to (ECMA-262, 21.4.1.1). */
const MAX_DATE_SECONDS = 8_640_000_000_000;

/** Whether Deno can set this time: its calls take a Date, which has milliseconds. */
export function isSettableTime({ seconds, nanoseconds }: Timestamp): boolean {
  return nanoseconds % NANOSECONDS_PER_MILLISECOND === 0 && Math.abs(seconds) < MAX_DATE_SECONDS;
}

/** Whether Deno can set this time on a symlink: there, negative numbers are refused (EINVAL). */
export function isSettableLinkTime(time: Timestamp): boolean {
  return time.nanoseconds === 0 && time.seconds >= 0;
}

/** Sets both times of a file or directory that {@linkcode isSettableTime}; follows symlinks. */
export function setTime(path: string, time: Timestamp): void {
  const date = new Date(
    time.seconds * 1000 + time.nanoseconds / NANOSECONDS_PER_MILLISECOND,
  );
  Deno.utimeSync(path, date, date);
}

/**
 * Sets owner, mode and time of an open file. The owner first: chown(2) clears setuid and setgid.
 *
 * @param path of the same file, for a time that its descriptor cannot be given
 */
export function setOpenFileAttributes(
  fd: number,
  path: string,
  attributes: Attributes,
  setOwner: boolean,
): void {
  if (setOwner) fs.fchownSync(fd, attributes.uid, attributes.gid);
  fs.fchmodSync(fd, attributes.mode);
  const { seconds, nanoseconds } = attributes.mtime;
  if (nanoseconds === 0 && seconds >= 0) fs.futimesSync(fd, seconds, seconds);
  else setTime(path, attributes.mtime);
}

/** What `path`, not followed, has now; without xattrs, which setting the rest does not change. */
export function readAttributes(path: string): Attributes {
  const stat = fs.lstatSync(path, { bigint: true });
  const seconds = stat.mtimeNs / 1_000_000_000n - (stat.mtimeNs % 1_000_000_000n < 0n ? 1n : 0n);
  return {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: {
      seconds: Number(seconds),
      nanoseconds: Number(stat.mtimeNs - seconds * 1_000_000_000n),
    },
    xattrs: null,
  };
}
