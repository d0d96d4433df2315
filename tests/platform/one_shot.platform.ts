/** One-shot create from a registry, with the drivers that need no pool; tests/zfs has the other. */

import { Work } from "./harness.ts";
import { assertOneShot } from "./one_shot.ts";

for (const driver of ["directory", "overlay"]) {
  Deno.test(`${driver}: a create from a registry resumes what breaks, and keeps no blob`, async () => {
    await using work = await Work.create();
    await assertOneShot(work, ["--driver", driver]);
  });
}
