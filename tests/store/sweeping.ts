/**
 * Sweeps in a process that has other threads of tests: a program that one of them starts holds every
 * open lock from its fork to its exec, so that what has just been let go may take another try.
 *
 * @module
 */

/** Sweeps until `wanted` names have gone; returns those that have, sorted. */
export async function sweepUntil(
  wanted: number,
  sweep: () => Promise<readonly string[]>,
): Promise<string[]> {
  const swept: string[] = [];
  for (let tries = 20; tries > 0; tries--) {
    swept.push(...await sweep());
    if (swept.length >= wanted) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return swept.sort();
}
