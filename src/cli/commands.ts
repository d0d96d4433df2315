/**
 * Where the commands are: each in a file of its own, loaded when it is called, so that `--help` and
 * `--version` load none of them.
 *
 * @module
 */

import type { Handler } from "./context.ts";
import type { Options } from "./spec.ts";
import type { CommandName, SPECS } from "./specs.ts";

/** One loader for each command of the table; its handler takes just the options listed there. */
type Loaders = {
  readonly [N in CommandName]: () => Promise<Handler<(typeof SPECS)[N]["options"]>>;
};

const LOADERS: Loaders = {
  create: async () => (await import("./commands/create.ts")).create,
  run: async () => (await import("./commands/run.ts")).run,
  rm: async () => (await import("./commands/rm.ts")).rm,
  ps: async () => (await import("./commands/ps.ts")).ps,
  mount: async () => (await import("./commands/mount.ts")).mount,
  unmount: async () => (await import("./commands/unmount.ts")).unmount,
  pull: async () => (await import("./commands/pull.ts")).pull,
  push: async () => (await import("./commands/push.ts")).push,
  copy: async () => (await import("./commands/copy.ts")).copy,
  tag: async () => (await import("./commands/tag.ts")).tag,
  login: async () => (await import("./commands/login.ts")).login,
  logout: async () => (await import("./commands/logout.ts")).logout,
  images: async () => (await import("./commands/images.ts")).images,
  rmi: async () => (await import("./commands/rmi.ts")).rmi,
  diff: async () => (await import("./commands/diff.ts")).diff,
  commit: async () => (await import("./commands/commit.ts")).commit,
  rebase: async () => (await import("./commands/rebase.ts")).rebase,
  squash: async () => (await import("./commands/squash.ts")).squash,
  layers: async () => (await import("./commands/layers.ts")).layers,
  inspect: async () => (await import("./commands/inspect.ts")).inspect,
  validate: async () => (await import("./commands/validate.ts")).validate,
  gc: async () => (await import("./commands/gc.ts")).gc,
  fsck: async () => (await import("./commands/fsck.ts")).fsck,
  df: async () => (await import("./commands/df.ts")).df,
  info: async () => (await import("./commands/info.ts")).info,
  completions: async () => (await import("./commands/completions.ts")).completions,
};

/**
 * Loads a command. The parser has made the values from the same table entry that the handler's type
 * is made from, which is what makes the general type of the result right.
 */
export async function loadCommand(name: CommandName): Promise<Handler<Options>> {
  return await LOADERS[name]() as Handler<Options>;
}
