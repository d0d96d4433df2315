/** The driver "directory" passes the contract of drivers where files can share their blocks. */

import { assert } from "@std/assert";
import { DirectoryDriver } from "../../src/store/directory/directory_driver.ts";
import { canReflink } from "../../src/store/directory/reflink.ts";
import { driverContract } from "../store/contract.ts";
import { btrfsProblem, mountBtrfs } from "./btrfs.ts";
import { Work } from "./harness.ts";

async function open() {
  const work = await Work.create();
  const store = `${await mountBtrfs(work)}/store`;
  await Deno.mkdir(store, { mode: 0o700 });
  assert(await canReflink(store));
  return {
    driver: new DirectoryDriver(store, true),
    store,
    dispose: () => work[Symbol.asyncDispose](),
  };
}

const problem = await btrfsProblem();

driverContract("directory on btrfs", open, {
  keepsLayers: true,
  tellsChanges: false,
  hasQuota: false,
  mountsRootfs: false,
  keepsRootfsOutside: false,
  keepsLowerHardlinks: true,
  ...(problem === null ? {} : { skip: problem }),
});
