/**
 * Dates as RFC 3339, section 5.6 writes them. They are checked and kept as text: no JavaScript date
 * holds nanoseconds.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

const GRAMMAR =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/** What `value` should be if it is not a date and time by RFC 3339; null if it is one. */
export function dateTimeProblem(value: unknown): string | null {
  const expected = 'a date and time such as "2026-01-31T12:00:00Z" (RFC 3339)';
  const parts = typeof value === "string" ? GRAMMAR.exec(value) : null;
  if (parts === null) return expected;
  const [
    year = 0,
    month = 0,
    day = 0,
    hour = 0,
    minute = 0,
    second = 0,
    offsetHour = 0,
    offset = 0,
  ] = parts.slice(1).map((part) => Number(part ?? 0));
  // Second 60 is a leap second, which section 5.7 allows.
  const right = month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month) &&
    hour <= 23 && minute <= 59 && second <= 60 && offsetHour <= 23 && offset <= 59;
  return right ? null : expected;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/**
 * The date of a number of seconds since 1970, such as SOURCE_DATE_EPOCH, in whole seconds.
 *
 * @throws {LayerfsError} `usage` for what is none
 */
export function dateOfEpoch(epoch: number): string {
  const date = new Date(epoch * 1000);
  if (Number.isSafeInteger(epoch) && epoch >= 0 && date.getFullYear() <= 9999) {
    return date.toISOString().replace(".000Z", "Z");
  }
  throw new LayerfsError(
    "usage",
    `Cannot use SOURCE_DATE_EPOCH: "${epoch}" is not a number of seconds since 1970`,
  );
}
