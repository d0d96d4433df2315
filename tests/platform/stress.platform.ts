/** The hard tests of stress.ts with the drivers overlay and directory. */

import { btrfsProblem, mountBtrfs } from "./btrfs.ts";
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

const directory: StressDriver = {
  ...inside,
  name: "directory",
  options: () => ["--driver", "directory"],
  keepsLayers: false,
  // A tmpfs never shares blocks, wherever the tests run.
  place: (work) => work.tmpfs("plain", "512m"),
};

const problem = await btrfsProblem();

const reflinks: StressDriver = {
  ...inside,
  name: "directory on btrfs",
  options: () => ["--driver", "directory"],
  keepsLayers: true,
  place: mountBtrfs,
  ...(problem === null ? {} : { skip: problem }),
};

stressTests(overlay, 60, [FULL_TMPFS]);
stressTests(directory, 30, [FULL_TMPFS]);
stressTests(reflinks, 30);
