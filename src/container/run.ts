/**
 * `layerfs run`: a container that is made and started at once.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { createContainer, type CreateOptions } from "./create.ts";
import { removeContainers } from "./remove.ts";
import { findRuntime, requireTerminal, runBundle, type RuntimeName } from "./runtime.ts";

/** What to run, and how. */
export interface RunContainerOptions extends CreateOptions {
  /** Removes the container when it has ended. */
  readonly remove: boolean;
  /** The first of runc and crun that is there, where it is absent. */
  readonly runtime?: RuntimeName;
  /** Takes what could not be kept, before the container starts. */
  readonly onWarning?: (warning: string) => void;
}

/**
 * Makes a container and runs it in the foreground, on our own standard input, output and error.
 *
 * @returns the exit status of its first process
 * @throws {LayerfsError} as {@linkcode createContainer}, and `program-missing` without a runtime
 */
export async function runContainer(options: RunContainerOptions): Promise<number> {
  if (options.overrides.tty) requireTerminal();
  const runtime = await findRuntime(options.runtime);
  const { id, bundle, warnings } = await createContainer(options);
  for (const warning of warnings) options.onWarning?.(warning);
  try {
    if (options.signal.aborted) throw new LayerfsError("interrupted", "Cannot run: interrupted");
    return await runBundle(id, bundle, { runtime });
  } finally {
    if (options.remove) await removeContainers(options, [id], true);
  }
}
