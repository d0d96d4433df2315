/** Containers that are moved to other images, with the driver "overlay", on a disk. */

import { rebaseTests } from "../container/rebase_contract.ts";

rebaseTests("overlay", () =>
  Promise.resolve({
    driver: "overlay",
    dir: "/var/tmp",
    deno: ["env", Deno.execPath()],
  }));
