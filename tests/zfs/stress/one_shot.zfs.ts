/** One-shot create from a registry, on the pool that with_zfs_fuse.sh makes. */

import { must, Work } from "../../platform/harness.ts";
import { assertOneShot } from "../../platform/one_shot.ts";

const pool = Deno.env.get("LAYERFS_TEST_POOL");

Deno.test({
  name: "zfs: a create from a registry resumes what breaks, and keeps no blob",
  ignore: pool === undefined,
  async fn() {
    await using work = await Work.create();
    const dataset = `${pool}/one-shot-${Deno.pid}`;
    work.defer(() => must(["zfs", "destroy", "-R", "-f", dataset]));
    await assertOneShot(work, ["--driver", "zfs", "--dataset", dataset]);
  },
});
