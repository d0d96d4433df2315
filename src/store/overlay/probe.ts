/**
 * Whether overlayfs can be used in a place.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { LayerfsError, within } from "../../errors.ts";
import { lstatOrNull, namesIn } from "../../files.ts";
import { run } from "../../process.ts";
import { storageError } from "../../system_error.ts";
import { isMountPoint } from "../mount_point.ts";
import { removeTree } from "../remove_tree.ts";
import { mountOverlayBy } from "./mount_overlay.ts";

/** What the names of temporary directories begin with. */
const PREFIX = ".layerfs-probe-";

/** What is in one, and nothing else. */
const PARTS: ReadonlySet<string> = new Set(["lower", "upper", "work", "merged", "links"]);

/** Age in milliseconds at which one is that of a dead process: a probe takes a moment. */
const STALE_MS = 10 * 60 * 1000;

/**
 * Mounts, by the arguments of mount(8), and does what layers do: removes a directory, and makes it
 * anew. Writes "shown" where that does not hide the file that was in it.
 */
const SCRIPT = `mount "$@" || exit
for target; do :; done
rm -r "$target/hidden" && mkdir "$target/hidden" || exit
if [ -e "$target/hidden/file" ]; then echo shown; fi`;

/**
 * Why overlayfs cannot keep the layers and containers of a store at `store`; null where it can. Tried
 * out in a temporary directory there, or in the nearest directory above it, of which nothing is left.
 *
 * @param store absolute path, whether it is there or not
 * @returns a clause that goes on after "because"
 */
export async function overlayProblem(store: string): Promise<string | null> {
  return (await findProblem(store))?.message ?? null;
}

/**
 * Makes sure that overlayfs can keep a store at `store`.
 *
 * @param store absolute path, whether it is there or not
 * @throws {LayerfsError} `privilege-missing`, `program-missing`, `permission-missing`, `unsupported`,
 * `storage`
 */
export async function checkOverlay(store: string): Promise<void> {
  const problem = await findProblem(store);
  if (problem !== null) throw within(problem, 'Cannot use driver "overlay"');
}

async function findProblem(store: string): Promise<LayerfsError | null> {
  if (Deno.uid() !== 0) {
    return new LayerfsError("privilege-missing", "overlayfs can be mounted by root only");
  }
  let place = store;
  while (!isDirectory(place) && place !== dirname(place)) place = dirname(place);
  const action = `overlayfs cannot be tried out in "${place}"`;
  try {
    await removeStale(place);
    const directory = Deno.makeTempDirSync({ dir: place, prefix: PREFIX });
    try {
      if (await hidesLower(directory)) return null;
      const message = `overlayfs does not hide what a layer replaces in "${place}"`;
      return new LayerfsError("unsupported", message);
    } finally {
      await removeTree(directory);
    }
  } catch (error) {
    const problem = storageError(error, action);
    if (!(problem instanceof LayerfsError)) throw problem;
    const { reason } = problem.data; // without the temporary directory
    if (typeof reason !== "string") return problem;
    const message = `overlayfs cannot be mounted in "${place}": ${reason}`;
    return new LayerfsError(problem.code, message, problem.data, { cause: error });
  }
}

/**
 * Does what layers do: hides a file of a lower directory, and replaces that directory. In a mount
 * namespace of its own, with which the mount goes, however the processes end.
 */
async function hidesLower(directory: string): Promise<boolean> {
  for (const name of ["lower/hidden", "upper", "work", "merged"]) {
    Deno.mkdirSync(`${directory}/${name}`, { recursive: true, mode: 0o700 });
  }
  Deno.writeTextFileSync(`${directory}/lower/hidden/file`, "", { createNew: true, mode: 0o600 });
  // Whoever lacks these is told by their names, and not in the words of a shell.
  for (const program of ["mount", "umount"]) await run(program, ["--version"]);
  const namespace = ["--mount", "--propagation", "private", "--"];
  const { stdout } = await mountOverlayBy({
    target: `${directory}/merged`,
    lowers: [`${directory}/lower`],
    upper: { upper: `${directory}/upper`, work: `${directory}/work` },
    links: `${directory}/links`,
  }, (args, options) => {
    return run("unshare", [...namespace, "sh", "-c", SCRIPT, "sh", ...args], options);
  });
  return stdout === "";
}

/** Removes what probes in `place` have left that were killed. */
async function removeStale(place: string): Promise<void> {
  for (const name of namesIn(place).filter((name) => name.startsWith(PREFIX))) {
    if (isStale(`${place}/${name}`)) await removeTree(`${place}/${name}`);
  }
}

/** Whether it is ours, which nobody else can change, and old, and nothing is mounted there. */
function isStale(directory: string): boolean {
  const stat = lstatOrNull(directory);
  if (stat === null || !stat.isDirectory || stat.uid !== 0 || ((stat.mode ?? 0o77) & 0o77) !== 0) {
    return false;
  }
  if (Date.now() - (stat.mtime?.getTime() ?? 0) < STALE_MS) return false;
  const isPart = (name: string) => PARTS.has(name) && !isMountPoint(`${directory}/${name}`);
  return !isMountPoint(directory) && namesIn(directory).every(isPart);
}

function isDirectory(place: string): boolean {
  return lstatOrNull(place) !== null && Deno.statSync(place).isDirectory;
}
