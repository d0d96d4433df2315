/** The driver "overlay" passes the contract of drivers, on a disk. */

import { overlayProblem } from "../../src/store/overlay/probe.ts";
import { OverlayDriver } from "../../src/store/overlay/overlay_driver.ts";
import { driverContract } from "../store/contract.ts";
import { must, Work } from "./harness.ts";

/** Unmounts all that a test that failed has left below a directory, the last one first. */
const UNMOUNT = 'findmnt --raw --noheadings --output TARGET | grep "^$1/" | tac | ' +
  "xargs --no-run-if-empty --max-args=1 umount --lazy";

async function open() {
  const work = await Work.create("disk");
  const store = work.path("store");
  await Deno.mkdir(store, { mode: 0o700 });
  work.defer(() => must(["bash", "-c", UNMOUNT, "bash", store]));
  return {
    driver: new OverlayDriver(store),
    store,
    dispose: () => work[Symbol.asyncDispose](),
  };
}

const problem = await overlayProblem("/var/tmp");

driverContract("overlay", open, {
  keepsLayers: true,
  hasQuota: false,
  mountsRootfs: true,
  keepsRootfsOutside: false,
  // Whoever links or changes a lower file gets a copy of it; its other names keep the old one.
  keepsLowerHardlinks: false,
  tellsChanges: true,
  ...(problem === null ? {} : { skip: problem }),
});
