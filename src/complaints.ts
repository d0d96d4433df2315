/**
 * What other programs say on their standard error, in the C locale.
 *
 * @module
 */

/** Lines of it that a message has: cp says the same of every file that finds no place. */
const MAX_LINES = 3;

/** The beginning of it, in one line. */
export function firstComplaints(lines: readonly string[]): string {
  const more = lines.length - MAX_LINES;
  return lines.slice(0, MAX_LINES).join("; ") +
    (more > 0 ? `; and ${more} more ${more === 1 ? "line" : "lines"}` : "");
}

/**
 * Whether it was for want of space: ENOSPC, EDQUOT. Of a full disk, GNU tar may say no more than how
 * little it has written.
 */
export function saysFull(stderr: string): boolean {
  return /No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/.test(stderr);
}
