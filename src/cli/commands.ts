/**
 * Where the commands are: each in a file of its own, loaded when it is called, so that `--help` and
 * `--version` load none of them.
 *
 * @module
 */

import type { Handler } from "./context.ts";
import type { Options } from "./spec.ts";
import type { CommandName, SPECS } from "./specs.ts";

/** Every command's module has its handler, by its name, which takes just the options of the table. */
type Checked<
  M extends {
    readonly [N in CommandName]: { readonly [H in N]: Handler<(typeof SPECS)[N]["options"]> };
  },
> = M;

/** The modules of the commands. */
type Modules = Checked<{
  readonly create: typeof import("./commands/create.ts");
  readonly run: typeof import("./commands/run.ts");
  readonly rm: typeof import("./commands/rm.ts");
  readonly ps: typeof import("./commands/ps.ts");
  readonly mount: typeof import("./commands/mount.ts");
  readonly unmount: typeof import("./commands/unmount.ts");
  readonly pull: typeof import("./commands/pull.ts");
  readonly push: typeof import("./commands/push.ts");
  readonly copy: typeof import("./commands/copy.ts");
  readonly tag: typeof import("./commands/tag.ts");
  readonly login: typeof import("./commands/login.ts");
  readonly logout: typeof import("./commands/logout.ts");
  readonly images: typeof import("./commands/images.ts");
  readonly rmi: typeof import("./commands/rmi.ts");
  readonly diff: typeof import("./commands/diff.ts");
  readonly commit: typeof import("./commands/commit.ts");
  readonly rebase: typeof import("./commands/rebase.ts");
  readonly squash: typeof import("./commands/squash.ts");
  readonly layers: typeof import("./commands/layers.ts");
  readonly inspect: typeof import("./commands/inspect.ts");
  readonly validate: typeof import("./commands/validate.ts");
  readonly gc: typeof import("./commands/gc.ts");
  readonly fsck: typeof import("./commands/fsck.ts");
  readonly df: typeof import("./commands/df.ts");
  readonly info: typeof import("./commands/info.ts");
  readonly completions: typeof import("./commands/completions.ts");
}>;

/**
 * Loads a command. The parser has made the values from the same table entry that the handler's type
 * is made from, which is what makes the general type of the result right.
 */
export async function loadCommand<N extends CommandName>(name: N): Promise<Handler<Options>> {
  const module: Modules[N] = await import(import.meta.resolve(`./commands/${name}.ts`));
  return (module as Record<string, unknown>)[name] as Handler<Options>;
}
