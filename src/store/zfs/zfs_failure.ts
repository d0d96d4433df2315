/**
 * What `zfs` says when it fails, as something a program can act on.
 *
 * `zfs` has one exit status for every failure: the reason is in its words, which differ between
 * versions. Each wording below has been seen with the version beside it (F: zfs-fuse 0.7.0; 2.1:
 * OpenZFS 2.1.11; 2.3: OpenZFS 2.3.2; none: all of them), but for those marked L, which are in the
 * source of libzfs. What no row knows stays as it was said.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../../errors.ts";

/** Why a `zfs` command failed. */
export type FailureKind =
  /** There is no such dataset or snapshot; its pool may be missing as well. */
  | "no-dataset"
  /** There is no dataset to make it in, or to move it to. */
  | "no-parent"
  | "no-pool"
  | "exists"
  /** The dataset is in use: for a moment only, or mounted in another mount namespace. */
  | "busy"
  /** It cannot be unmounted, as a process uses it. */
  | "in-use"
  /** A snapshot has holds. */
  | "held"
  /** A snapshot has clones. */
  | "cloned"
  | "mounted"
  | "not-mounted"
  | "full"
  /** This version, or this pool, does not know a property or its value. */
  | "bad-property"
  | "no-daemon"
  | "no-module"
  | "no-privilege"
  | "other";

/** A failure of a `zfs` command. */
export interface ZfsFailure {
  readonly kind: FailureKind;
  /** What `zfs` wrote, on one line. */
  readonly said: string;
  /** `cloned`: the datasets that depend on it. */
  readonly dependents: readonly string[];
  /** `bad-property`: which, if `zfs` said. */
  readonly property: string | null;
}

/** The first row that matches counts. */
const WORDINGS: readonly (readonly [RegExp, FailureKind])[] = [
  // F: "connect: No such file or directory", then this line; with no right to connect, see below.
  [/Please make sure that the zfs-fuse daemon is running/, "no-daemon"],
  // F, of a daemon that was killed.
  [/^connect: Connection refused/m, "no-daemon"],
  // 2.1, 2.3: "The ZFS modules are not loaded.", or, without udev, "/dev/zfs and … are required."
  [/The ZFS modules are not loaded|\/dev\/zfs and \/proc\/self\/mounts are required/, "no-module"],
  // F: "connect: Permission denied".
  [/^connect: Permission denied/m, "no-privilege"],
  // 2.1, 2.3: "Permission denied the ZFS utilities must be run as root.", where /dev/zfs is root's;
  // else "cannot create 'x': permission denied"; 2.3: "Insufficient privileges" from mount.
  [
    /the ZFS utilities must be run as root|: permission denied$|insufficient privileges/im,
    "no-privilege",
  ],
  // 2.3: "filesystem successfully created, but it may only be mounted by root".
  [/may only be (un)?mounted by root/, "no-privilege"],
  // F: "umount: PATH: target is busy.", "cannot unmount 'PATH': umount failed: umount child process
  // failed". 2.1, 2.3: "cannot unmount 'PATH': pool or dataset is busy".
  [/^umount: .*: target is busy|^cannot unmount '.*': (pool or )?dataset is busy/m, "in-use"],
  // F: "cannot destroy 'X@s': dataset is busy"; 2.1: "cannot destroy snapshot X@s: dataset is busy";
  // 2.3: "cannot destroy snapshot X@s: it's being held. Run 'zfs holds -r X@s' to see holders."
  [/^cannot destroy (snapshot )?'?\S+@.*: (dataset is busy|it's being held)/m, "held"],
  // "cannot destroy 'X': filesystem has dependent clones", a line "use '-R' …", then their names;
  // of a single snapshot: "snapshot has dependent clones".
  [/has dependent clones$/m, "cloned"],
  // F of what was unmounted a moment ago: "cannot mount 'X': mountpoint or dataset is busy".
  [/dataset is busy/, "busy"],
  // F of what was unmounted a moment ago; it is as it was, or rolled back.
  [/^cannot rollback '.*': I\/O error/m, "busy"],
  // The mount point has been removed between its making and the mount.
  [/^cannot mount '.*': No such file or directory/m, "busy"],
  // 2.1, 2.3, of "destroy -d": "could not find any snapshots to destroy; check snapshot names."
  [/could not find any snapshots to destroy/, "no-dataset"],
  [/: no such pool/, "no-pool"],
  [/: parent does not exist$/m, "no-parent"],
  [/: dataset does not exist$/m, "no-dataset"],
  [/: dataset already exists$/m, "exists"],
  [/: filesystem already mounted$/m, "mounted"],
  // By dataset; by path: "not a ZFS filesystem" or, F, "not currently mounted".
  [/: not currently mounted$|: not a ZFS filesystem$/m, "not-mounted"],
  // A quota that is smaller than what is there gives this too. L: all but the first.
  [/: out of space$|no space left|quota exceeded/im, "full"],
  // "invalid property 'P'"; F of a value: "'P' must be one of '…'"; 2.3, of a feature that the pool
  // has not enabled: "pool must be upgraded to set this property or value".
  [/: invalid property '|: '\S+' must be |pool (and or dataset )?must be upgraded/, "bad-property"],
];

/** Reads what a failed `zfs` command wrote to its standard error. */
export function parseFailure(stderr: string): ZfsFailure {
  const kind = WORDINGS.find(([wording]) => wording.test(stderr))?.[1] ?? "other";
  const lines = stderr.trim().split("\n");
  // In a list of several complaints, the names come last.
  const use = lines.findLastIndex((line) => line.startsWith("use '-R' to destroy"));
  return {
    kind,
    said: lines.map((line) => line.trim()).filter((line) => line !== "").join("; "),
    dependents: kind === "cloned" && use >= 0 ? lines.slice(use + 1) : [],
    property: /: (?:invalid property )?'(\S+?)'(?: must be |$)/m.exec(stderr)?.[1] ?? null,
  };
}

/**
 * Whether a command that makes a dataset has made it: zfs-fuse mounts a clone at once, and fails
 * where that does. The words are those of the mount.
 */
export function isMade(failure: ZfsFailure | null): boolean {
  return failure === null || failure.said.startsWith("cannot mount ");
}

/** Codes and advice; what is not here is "storage", and told in the words of `zfs` alone. */
const MEANINGS: Readonly<Partial<Record<FailureKind, readonly [ErrorCode, string]>>> = {
  "no-dataset": ["not-found", "there is no such dataset"],
  "exists": ["conflict", "the dataset exists already"],
  "busy": ["busy", "the dataset is in use"],
  "in-use": ["busy", "a process uses it"],
  "held": ["busy", 'a snapshot of it is held; see "zfs holds -r" and "zfs release"'],
  "cloned": ["conflict", "other datasets are clones of it; destroy or promote them first"],
  "full": ["storage-full", "the pool, or the quota, has no room; free some, or raise the quota"],
  "no-daemon": [
    "environment-missing",
    'zfs-fuse is not running; start it: "service zfs-fuse start"',
  ],
  "no-pool": ["environment-missing", 'there is no such pool; "zpool import" or "zpool create" it'],
  "no-module": ["environment-missing", 'the kernel has no ZFS; load it: "modprobe zfs"'],
  "no-privilege": [
    "privilege-missing",
    "only root may do that (Linux cannot delegate mounting to an ordinary user); run as root",
  ],
};

/**
 * A failure as an error.
 *
 * @param action the failed action: the message begins with it
 */
export function failureError(failure: ZfsFailure, action: string): LayerfsError {
  const { kind, said } = failure;
  const [code, meaning] = MEANINGS[kind] ?? ["storage", null];
  const state = meaning === null ? said : `${meaning} (${said})`;
  return new LayerfsError(code, `${action}: ${state}`, { program: "zfs", stderr: said });
}
