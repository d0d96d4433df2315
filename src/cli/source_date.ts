/**
 * SOURCE_DATE_EPOCH, the variable of reproducible-builds.org.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Io } from "./io.ts";

const EPOCH = "SOURCE_DATE_EPOCH";

/**
 * Its value in seconds since 1970; undefined where it is not set.
 *
 * @throws {LayerfsError} `usage`
 */
export function sourceDate(io: Io): number | undefined {
  const text = io.env([EPOCH]).get(EPOCH);
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new LayerfsError(
    "usage",
    `Cannot use ${EPOCH}: "${text}" is not a number of seconds since 1970`,
    { variable: EPOCH },
  );
}
