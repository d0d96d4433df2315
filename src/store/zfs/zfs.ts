/**
 * Calls of `zfs`.
 *
 * @module
 */

import { lstatOrNull } from "../../files.ts";
import { run } from "../../process.ts";
import { FileLock } from "../lock.ts";
import { failureError, type FailureKind, parseFailure, type ZfsFailure } from "./zfs_failure.ts";

/** What a call gave. */
export interface ZfsResult {
  readonly stdout: string;
  /** Null where it succeeded. */
  readonly failure: ZfsFailure | null;
}

/**
 * Where zfs-fuse has its socket. Its daemon stands still for good where several clones or mounts are
 * asked of it at once (seen with 20): its threads wait for one another.
 */
const FUSE_DIRECTORY = "/run/zfs";

/**
 * What `zfs` is started with. In the locale "C", zfs-fuse makes no mount point whose path is not ASCII.
 * This one has plain messages too; those of umount, which zfs-fuse passes on, LANGUAGE would translate.
 */
export const ZFS_ENVIRONMENT = { LC_ALL: "C.UTF-8", LANGUAGE: "" } as const;

/** Runs `zfs`; that it fails is a result. */
export async function tryZfs(args: readonly string[]): Promise<ZfsResult> {
  using _turn = await takeTurn();
  const { code, stdout, stderr } = await run("zfs", args, { env: ZFS_ENVIRONMENT });
  return { stdout, failure: code === 0 ? null : parseFailure(stderr) };
}

/** With zfs-fuse, one change at a time on this machine; with OpenZFS, as many as there are. */
async function takeTurn(): Promise<FileLock | null> {
  if (lstatOrNull(`${FUSE_DIRECTORY}/zfs_socket`) === null) return null;
  return await FileLock.wait(`${FUSE_DIRECTORY}/layerfs.lock`);
}

/**
 * Runs `zfs`, which must succeed.
 *
 * @param action begins the message of an error
 * @param but failures that are none
 */
export async function zfs(
  args: readonly string[],
  action: string,
  ...but: readonly FailureKind[]
): Promise<ZfsResult> {
  const result = await tryZfs(args);
  if (result.failure === null || but.includes(result.failure.kind)) return result;
  throw failureError(result.failure, action);
}

/**
 * Milliseconds to wait before each new try at something busy. What has just been unmounted, or used
 * by a process that has just ended, is free within moments: zfs-fuse takes up to 50 ms (measured).
 */
const RETRY_DELAYS = [10, 20, 50, 100, 200, 400, 600] as const;

/** What passes by itself as a rule. */
const PASSING: readonly FailureKind[] = ["busy", "in-use"];

/**
 * Runs `zfs` until it meets nothing that passes, or patience ends.
 *
 * @param passing the failures that are tried again
 * @returns why the last try failed; null where it succeeded
 */
export async function tryPatiently(
  args: readonly string[],
  passing = PASSING,
): Promise<ZfsFailure | null> {
  let { failure } = await tryZfs(args);
  for (const delay of RETRY_DELAYS) {
    if (failure === null || !passing.includes(failure.kind)) break;
    await new Promise((resolve) => setTimeout(resolve, delay));
    ({ failure } = await tryZfs(args));
  }
  return failure;
}
