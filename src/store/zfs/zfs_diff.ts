/**
 * What `zfs diff` says of a container.
 *
 * It compares the objects of two datasets, whatever their number, by the times of their blocks. So
 * it is quick, and names each object by one name only: of a file that got or lost a hard link, any
 * of its names. But a directory in which a name came or went is an object that changed.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { Candidates } from "../../layer/tree_changes.ts";
import { check, run } from "../../process.ts";
import { tryZfs } from "./zfs.ts";
import { failureError, type ZfsFailure } from "./zfs_failure.ts";

/** A container is compared with the whole tree of its layers. */
const WALK: Candidates = { paths: null, keepsInodes: true };

/**
 * Failures after which there is still a walk. F (zfs-fuse 0.7.0): "unrecognized command 'diff'".
 * 2.1, 2.3, of objects that are half removed (openzfs/zfs#13343): "Unable to determine path or stats
 * for object 123 in tank/x@y: …".
 */
const NO_ANSWER = /unrecognized command 'diff'|Unable to determine path or stats/i;

/** How the names below a directory of extended attributes begin, which only xattr=on makes. */
const XATTRS = "/<xattrdir>";

/**
 * Where `dataset` may differ from `snapshot`, which it is a clone of. The dataset of the snapshot must
 * be mounted too (2.1, 2.3, else: "Cannot diff an unmounted snapshot").
 *
 * @param place where `dataset` is mounted
 */
export async function diffDataset(
  snapshot: string,
  dataset: string,
  place: string,
  action: string,
): Promise<Candidates> {
  // What is written to mapped memory, ZFS counts as changed once it is written back.
  check(await run("sync", ["--file-system", place]), action, "storage");
  const { stdout, failure } = await tryZfs(["diff", "-FHt", snapshot, dataset]);
  if (failure === null) return { paths: parseDiff(stdout, place), keepsInodes: true };
  if (hasNoAnswer(failure)) return WALK;
  throw failureError(failure, action);
}

function hasNoAnswer({ said }: ZfsFailure): boolean {
  return NO_ANSWER.test(said);
}

/**
 * The paths in the output of `zfs diff -FHt`: lines of time, change, type, path and, of a rename (R),
 * the new path. A modification that is one of the number of links has "(+1)" or "(-1)" as one more
 * field.
 *
 * @param place where the dataset is mounted: paths begin with that
 * @returns relative to it, as bytes
 */
export function parseDiff(stdout: string, place: string): Uint8Array[] {
  const prefix = new TextEncoder().encode(place);
  const paths = new Map<string, Uint8Array>();
  for (const line of stdout.split("\n")) {
    if (line === "") continue;
    const [, change, , ...fields] = line.split("\t");
    for (const field of fields.slice(0, change === "R" ? 2 : 1)) {
      const end = field.indexOf(XATTRS);
      // A file may be called "<xattrdir>" itself.
      for (const name of end < 0 ? [field] : [field, field.slice(0, end)]) {
        const path = relative(unescaped(name), prefix);
        if (path === null) {
          throw new LayerfsError("storage", `Cannot read what zfs diff says: "${line}"`);
        }
        paths.set(name, path);
      }
    }
  }
  return [...paths.values()];
}

/** `\0` and three octal digits stand for what is no printable ASCII, or a space, or a backslash. */
function unescaped(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, octal, character = ""] of text.matchAll(/\\0?([0-7]{3})|(.)/gsu)) {
    if (octal !== undefined) bytes.push(parseInt(octal, 8));
    else bytes.push(...new TextEncoder().encode(character));
  }
  return Uint8Array.from(bytes);
}

/** The path below `prefix`, "" for that itself; null where it is not there. */
function relative(path: Uint8Array, prefix: Uint8Array): Uint8Array | null {
  if (prefix.some((byte, i) => path[i] !== byte)) return null;
  const rest = path.subarray(prefix.length);
  if (rest.length > 0 && rest[0] !== SLASH) return null;
  return rest.at(-1) === SLASH ? rest.subarray(1, -1) : rest.subarray(1);
}

const SLASH = 0x2f;
