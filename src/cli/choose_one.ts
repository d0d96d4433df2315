/**
 * Options that exclude one another.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

/**
 * Which of some options is given.
 *
 * @returns undefined where none is
 * @throws {LayerfsError} `usage` where several are
 */
export function chooseOne<N extends string>(
  values: Readonly<Record<N, unknown>>,
  names: readonly N[],
): N | undefined {
  const chosen = names.filter((name) => values[name] !== undefined && values[name] !== false);
  if (chosen.length > 1) {
    const options = chosen.map((name) => `--${name}`).join(" and ");
    throw new LayerfsError("usage", `Cannot use ${options} together: choose one`);
  }
  return chosen[0];
}
