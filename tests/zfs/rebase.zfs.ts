/** Containers that are moved to other images, with the driver "zfs". */

import { rebaseTests } from "../container/rebase_contract.ts";
import { datasets, POOL, zfs } from "./harness.ts";

let stores = 0;

rebaseTests("zfs", () => {
  const dataset = `${POOL}/rebase-${Deno.pid}-${stores++}`;
  const dispose = async () => {
    if ((await datasets(dataset)).length > 0) await zfs("destroy", "-R", "-f", dataset);
  };
  return Promise.resolve({ driver: "zfs", dataset, dispose, deno: ["env", Deno.execPath()] });
});
