/**
 * The hard tests of the store, for any driver: kills, crowds, garbage collection beside work, full
 * disks. Real processes do the work, by the command line that users have.
 *
 * LAYERFS_STRESS_SEED       of the random numbers: repeats a run as far as time allows
 * LAYERFS_STRESS_KILLS      commands that are killed
 * LAYERFS_STRESS_PROCESSES  processes that work at once (20)
 * LAYERFS_STRESS_SECONDS    that gc runs beside others (20)
 *
 * @module
 */

import { crowdTests } from "./stress_crowds.ts";
import { type FullDisk, fullRemovalTest, fullTest } from "./stress_full.ts";
import { killTest } from "./stress_kills.ts";
import type { StressDriver } from "./stress_ground.ts";

/**
 * Registers all tests for a driver.
 *
 * @param kills commands that are killed, where LAYERFS_STRESS_KILLS does not say
 * @param disks that are filled
 */
export function stressTests(
  driver: StressDriver,
  kills: number,
  disks: readonly FullDisk[] = [],
): void {
  killTest(driver, kills);
  crowdTests(driver);
  for (const disk of disks) fullTest(driver, disk);
  for (const disk of disks) fullRemovalTest(driver, disk);
}
