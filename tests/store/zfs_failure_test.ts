import { assertEquals, assertStringIncludes } from "@std/assert";
import { exitStatus } from "../../src/errors.ts";
import { failureError, type FailureKind, parseFailure } from "../../src/store/zfs/zfs_failure.ts";

/** What versions have said: F zfs-fuse 0.7.0, 2.1 OpenZFS 2.1.11, 2.3 OpenZFS 2.3.2. */
const SAID: readonly (readonly [string, FailureKind, string])[] = [
  ["all", "no-dataset", "cannot open 'tank/a': dataset does not exist\n"],
  ["2.1", "no-dataset", "could not find any snapshots to destroy; check snapshot names.\n"],
  ["all", "no-parent", "cannot create 'tank/a/b': parent does not exist\n"],
  ["all", "exists", "cannot create 'tank/a': dataset already exists\n"],
  ["all", "exists", "cannot rename 'tank/a': dataset already exists\n"],
  ["all", "busy", "cannot destroy 'tank/a': dataset is busy\n"],
  ["F", "busy", "cannot mount 'tank/a': mountpoint or dataset is busy\n"],
  ["F", "busy", "cannot rollback 'tank/a': I/O error\n"],
  [
    "F",
    "in-use",
    "umount: /a b: target is busy.\ncannot unmount '/a b': umount failed: umount child process failed\n",
  ],
  ["2.1", "in-use", "cannot unmount '/a b': pool or dataset is busy\n"],
  ["F", "held", "cannot destroy 'tank/a@layer': dataset is busy\n"],
  ["2.1", "held", "cannot destroy snapshot tank/a@layer: dataset is busy\n"],
  [
    "2.3",
    "held",
    "cannot destroy snapshot tank/a@layer: it's being held. Run 'zfs holds -r tank/a@layer' to see " +
    "holders.\n",
  ],
  [
    "all",
    "cloned",
    "cannot destroy 'tank/a': filesystem has dependent clones\n" +
    "use '-R' to destroy the following datasets:\ntank/b\ntank/c\n",
  ],
  ["all", "mounted", "cannot mount 'tank/a': filesystem already mounted\n"],
  ["all", "not-mounted", "cannot unmount 'tank/a': not currently mounted\n"],
  ["all", "not-mounted", "cannot unmount '/a b': not a ZFS filesystem\n"],
  ["all", "full", "cannot create 'tank/a': out of space\n"],
  ["2.3", "full", "cannot create snapshots : out of space\n"],
  ["2.3", "no-pool", "cannot create 'tank/x': no such pool 'tank'\n"],
  ["2.3", "no-privilege", "cannot mount 'tank/v': Insufficient privileges\n"],
  [
    "2.3",
    "no-privilege",
    "filesystem successfully created, but it may only be mounted by root\n",
  ],
  [
    "F",
    "bad-property",
    "cannot create 'tank/a': 'compression' must be one of 'on | off | lzjb | gzip | gzip-[1-9] | zle'\n",
  ],
  ["F", "bad-property", "cannot create 'tank/a': invalid property 'acltype'\n"],
  [
    "2.3",
    "bad-property",
    "cannot create 'tank/a': pool must be upgraded to set this property or value\n",
  ],
  [
    "F",
    "no-daemon",
    "connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running.\n" +
    "internal error: failed to initialize ZFS library\n",
  ],
  [
    "F",
    "no-privilege",
    "connect: Permission denied\ninternal error: failed to initialize ZFS library\n",
  ],
  ["2.1", "no-privilege", "Permission denied the ZFS utilities must be run as root.\n"],
  ["2.1", "no-privilege", "cannot create 'tank/a': permission denied\n"],
  [
    "2.1",
    "no-module",
    "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them.\n",
  ],
  [
    "2.1",
    "no-module",
    "/dev/zfs and /proc/self/mounts are required.\n" +
    "Try running 'udevadm trigger' and 'mount -t proc proc /proc' as root.\n",
  ],
  ["all", "other", "cannot create 'tank/a': bad numeric value 'x'\n"],
  ["2.1", "other", "cannot mount 'tank/a': Not a directory\n"],
];

Deno.test("what zfs says is understood, whichever version says it", () => {
  for (const [version, kind, said] of SAID) {
    assertEquals([version, said, parseFailure(said).kind], [version, said, kind]);
  }
});

Deno.test("the datasets that depend on one are read", () => {
  const said = SAID.find(([, kind]) => kind === "cloned")?.[2] ?? "";
  assertEquals(parseFailure(said).dependents, ["tank/b", "tank/c"]);
});

Deno.test("the property that is not known is read, if it is said", () => {
  const properties = SAID.filter(([, kind]) => kind === "bad-property")
    .map(([, , said]) => parseFailure(said).property);
  assertEquals(properties, ["compression", "acltype", null]);
});

Deno.test("failures have the exit status that they should, and keep the words", () => {
  const statuses: Partial<Record<FailureKind, number>> = {
    "no-dataset": 4,
    "exists": 5,
    "busy": 5,
    "in-use": 5,
    "held": 5,
    "cloned": 5,
    "full": 7,
    "no-daemon": 6,
    "no-module": 6,
    "no-privilege": 6,
    "no-pool": 6,
    "other": 7,
  };
  for (const [, kind, said] of SAID) {
    const error = failureError(parseFailure(said), "Cannot do it");
    assertEquals([kind, exitStatus(error.code)], [kind, statuses[kind] ?? 7]);
    assertStringIncludes(error.message, "Cannot do it: ");
    assertStringIncludes(error.message, said.split("\n")[0] ?? "");
  }
  const other = failureError(parseFailure("a\n  b\n\n"), "Cannot do it");
  assertEquals(other.message, "Cannot do it: a; b");
});

Deno.test("an ordinary user is told that mounting cannot be delegated", () => {
  const { message } = failureError(parseFailure("connect: Permission denied\n"), "Cannot do it");
  assertStringIncludes(message, "Linux cannot delegate mounting");
});
