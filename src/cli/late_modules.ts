/**
 * Every module that is loaded late.
 *
 * Deno looks up, reads and parses whatever a literal `import()` names before a program starts, and
 * all that this leads to (measured: 10 ms for `--version`, 6 ms for a create). So no other module
 * has any: they resolve the name first. Such a module, though, Deno reads only under --allow-read,
 * and compiled programs do not have it. This list is for both: mod.ts has it, so that a library, and
 * a command line with few permissions, may load what it names; `deno task compile` includes it.
 *
 * @module
 */

/** Called by nobody. */
export const LATE_MODULES: readonly (() => Promise<unknown>)[] = [
  () => import("../container/bundle_files.ts"),
  () => import("../container/keep_blobs.ts"),
  () => import("../container/rootfs.ts"),
  () => import("../layer/apply_layers.ts"),
  () => import("../registry/client.ts"),
  () => import("../registry/credentials.ts"),
  () => import("../registry/settings.ts"),
  () => import("../source/archive.ts"),
  () => import("../source/docker_archive.ts"),
  () => import("../source/registry_source.ts"),
  () => import("../source/store_source.ts"),
  () => import("../store/directory/directory_driver.ts"),
  () => import("../store/directory/reflink.ts"),
  () => import("../store/images.ts"),
  () => import("../store/make_layers.ts"),
  () => import("../store/overlay/overlay_driver.ts"),
  () => import("../store/overlay/probe.ts"),
  () => import("../store/replacement.ts"),
  () => import("../store/zfs/zfs_driver.ts"),
  () => import("../store/zfs/zfs_layers.ts"),
  () => import("./commands.ts"),
  () => import("./commands/commit.ts"),
  () => import("./commands/completions.ts"),
  () => import("./commands/copy.ts"),
  () => import("./commands/create.ts"),
  () => import("./commands/df.ts"),
  () => import("./commands/diff.ts"),
  () => import("./commands/fsck.ts"),
  () => import("./commands/gc.ts"),
  () => import("./commands/images.ts"),
  () => import("./commands/info.ts"),
  () => import("./commands/inspect.ts"),
  () => import("./commands/layers.ts"),
  () => import("./commands/login.ts"),
  () => import("./commands/logout.ts"),
  () => import("./commands/mount.ts"),
  () => import("./commands/ps.ts"),
  () => import("./commands/pull.ts"),
  () => import("./commands/push.ts"),
  () => import("./commands/rebase.ts"),
  () => import("./commands/rm.ts"),
  () => import("./commands/rmi.ts"),
  () => import("./commands/run.ts"),
  () => import("./commands/squash.ts"),
  () => import("./commands/tag.ts"),
  () => import("./commands/unmount.ts"),
  () => import("./commands/validate.ts"),
  () => import("./progress.ts"),
  () => import("./store_choice.ts"),
];
