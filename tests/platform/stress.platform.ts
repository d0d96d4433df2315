/** The hard tests of stress.ts with the drivers overlay and directory. */

import { must, run, type Work } from "./harness.ts";
import { stressTests } from "./stress.ts";
import { FULL_TMPFS } from "./stress_full.ts";
import type { StressDriver } from "./stress_ground.ts";

/** A driver that keeps everything in the store's directory. */
const inside = {
  outside: () => Promise.resolve([]),
  destroy: () => Promise.resolve(),
};

const overlay: StressDriver = {
  ...inside,
  name: "overlay",
  options: () => ["--driver", "overlay"],
  keepsLayers: true,
  place: (work) => Promise.resolve(work.directory),
};

/** A btrfs in a file, whose files can share their blocks. */
async function btrfs(work: Work): Promise<string> {
  const disk = work.path("btrfs.disk");
  const place = work.path("btrfs");
  await Deno.mkdir(place);
  await must(["truncate", "--size", "1G", disk]);
  await must(["mkfs.btrfs", "--quiet", disk]);
  await must(["mount", "-o", "loop", disk, place]);
  work.defer(() => must(["umount", place]));
  return place;
}

const directory: StressDriver = {
  ...inside,
  name: "directory",
  options: () => ["--driver", "directory"],
  keepsLayers: false,
  // A tmpfs never shares blocks, wherever the tests run.
  place: (work) => work.tmpfs("plain", "512m"),
};

const hasBtrfs = (await run(["mkfs.btrfs", "--version"])).code === 0;

const reflinks: StressDriver = {
  ...inside,
  name: "directory on btrfs",
  options: () => ["--driver", "directory"],
  keepsLayers: true,
  place: btrfs,
  ...(hasBtrfs ? {} : { skip: "there is no mkfs.btrfs" }),
};

stressTests(overlay, 60, [FULL_TMPFS]);
stressTests(directory, 30, [FULL_TMPFS]);
stressTests(reflinks, 30);
