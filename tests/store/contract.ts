/**
 * The contract of storage drivers (src/store/driver.ts) as tests, which every driver must pass.
 *
 * @example
 * ```ts ignore
 * driverContract("directory", async () => ({ driver, store, dispose }), {
 *   keepsLayers: true,
 *   hasQuota: false,
 *   mountsRootfs: false,
 *   keepsRootfsOutside: false,
 *   keepsLowerHardlinks: true,
 *   tellsChanges: false,
 * });
 * ```
 *
 * @module
 */

import { IS_ROOT } from "../fixtures/tree.ts";
import { CHANGE_TESTS } from "./contract_changes.ts";
import { COMMIT_TESTS } from "./contract_commit.ts";
import { CONTAINER_TESTS } from "./contract_containers.ts";
import { CONTENT_TESTS } from "./contract_content.ts";
import { type ContractOptions, type DriverUnderTest, Ground } from "./contract_ground.ts";
import { LAYER_TESTS } from "./contract_layers.ts";
import { STACK_TESTS } from "./contract_stack.ts";
import { VIEW_TESTS } from "./contract_views.ts";

export type { ContractOptions, DriverUnderTest };

/**
 * Registers the tests of the contract; each opens a driver of its own.
 *
 * @param name begins the name of each test
 * @param open makes a driver that is not initialized, with an empty directory as its store
 */
export function driverContract(
  name: string,
  open: () => Promise<DriverUnderTest>,
  options: ContractOptions,
): void {
  const tests = [
    ...LAYER_TESTS,
    ...VIEW_TESTS,
    ...CONTENT_TESTS,
    ...CONTAINER_TESTS,
    ...CHANGE_TESTS,
    ...COMMIT_TESTS,
    ...STACK_TESTS,
  ];
  const reason = options.skip === undefined ? "" : ` (skipped: ${options.skip})`;
  for (const { name: what, needs, asRoot, run } of tests) {
    if (needs !== undefined && !options[needs]) continue;
    Deno.test({
      name: `${name}: ${what}${reason}`,
      ignore: options.skip !== undefined || (asRoot === true && !IS_ROOT),
      fn: async () => {
        await using ground = await Ground.open(open, options);
        await run(ground);
      },
    });
  }
}
