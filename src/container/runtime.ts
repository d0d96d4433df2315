/**
 * The OCI runtime, runc or crun, that makes processes of bundles.
 *
 * Both have the same command line. Each keeps the state of its containers in a directory: for root
 * its own default, for ordinary users below $XDG_RUNTIME_DIR, and where a session has none, in the
 * bundle.
 *
 * @example
 * ```ts ignore
 * import { findRuntime, runBundle } from "./runtime.ts";
 *
 * const runtime = await findRuntime();
 * Deno.exit(await runBundle("demo", "/var/lib/layerfs/containers/demo", { runtime }));
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";
import { check, isAtTerminal, run, runInherited } from "../process.ts";
import { errnoName, storageError } from "../system_error.ts";

/** A program that starts bundles. */
export type RuntimeName = "runc" | "crun";

/** The runtimes, the preferred one first: runc is the reference. */
const RUNTIMES: readonly RuntimeName[] = ["runc", "crun"];

/** Directory in a bundle where an ordinary user's runtime keeps state if nowhere else is fit. */
const STATE_DIRECTORY = "runtime-state";

/**
 * What `state` says of a container that there is not: "container does not exist" (runc 1.1), "error
 * opening file `/run/crun/x/status`: No such file or directory" (crun 1.8); and where a state root is
 * not ours, as after su(1), "permission denied".
 */
const UNKNOWN = /does not exist|no such file|permission denied/i;

/** How to run a bundle. */
export interface RunBundleOptions {
  /** See {@linkcode findRuntime}. */
  readonly runtime: RuntimeName;
  /** Ends the container (SIGTERM) when it aborts. Signals to this process are forwarded anyway. */
  readonly signal?: AbortSignal;
}

/** A container that a runtime knows. */
export interface RunningContainer {
  /** The runtime that knows it. */
  readonly runtime: RuntimeName;
  /** Where the runtime keeps its state; null for the runtime's default. */
  readonly stateRoot: string | null;
  /** `stopped` ones have no process, but keep their name until they are deleted. */
  readonly status: "creating" | "created" | "running" | "paused" | "stopped";
  /** Of the container's first process, as the host sees it; 0 where there is none. */
  readonly pid: number;
}

/**
 * The runtime to use: the preferred one, else the first that is there.
 *
 * @throws {LayerfsError} `program-missing` or `permission-missing`
 */
export async function findRuntime(preferred?: RuntimeName): Promise<RuntimeName> {
  const failures: LayerfsError[] = [];
  for (const runtime of preferred === undefined ? RUNTIMES : [preferred]) {
    try {
      check(await run(runtime, ["--version"]), `Cannot use ${runtime}`, "program-missing");
      return runtime;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      failures.push(error);
    }
  }
  // One that is there and not allowed is nearer than one to be installed.
  const nearest = failures.find(({ code }) => code === "permission-missing") ?? failures[0]!;
  if (preferred !== undefined || nearest.code === "permission-missing") throw nearest;
  throw new LayerfsError(
    "program-missing",
    "Cannot run a container: there is neither runc nor crun; install one (apt install runc)",
    { program: "runc", package: "runc" },
    { cause: nearest },
  );
}

/**
 * Refuses to go on where a container is to have our terminal, and we have none.
 *
 * @throws {LayerfsError} `usage`
 */
export function requireTerminal(): void {
  if (isAtTerminal()) return;
  throw new LayerfsError(
    "usage",
    "Cannot give the container a terminal: standard input is none; leave --tty out",
    { option: "tty" },
  );
}

/**
 * Runs the bundle in the foreground, on our own standard input, output and error.
 *
 * @param id of the container, unused in the runtime so far
 * @param bundle absolute path
 * @returns the exit status of its first process; the runtime's own where it could not be started
 * @throws {LayerfsError} `program-missing`, `permission-missing` or `interrupted`
 */
export async function runBundle(
  id: string,
  bundle: string,
  { runtime, signal }: RunBundleOptions,
): Promise<number> {
  const args = [...stateRootArgs(usualStateRoot(runtime, bundle)), "run", "--bundle", bundle, id];
  return await runInherited(runtime, args, { signal });
}

/**
 * Finds out whether a runtime knows the container: one that runs must not lose its files.
 *
 * @param bundle absolute path; a container of the same id and another bundle is not this one
 * @returns null where no runtime knows it
 * @throws {LayerfsError} `permission-missing` where a runtime is there and may not be asked
 */
export async function findRunning(id: string, bundle: string): Promise<RunningContainer | null> {
  for (const runtime of RUNTIMES) {
    for (const stateRoot of stateRoots(runtime, bundle)) {
      const state = await readState(runtime, stateRoot, id);
      if (state === null || !isSame(state.bundle, bundle)) continue;
      return { runtime, stateRoot, status: state.status, pid: state.pid };
    }
  }
  return null;
}

/** Kills every process of the container, waits for their end, and makes the runtime forget it. */
export async function stopContainer(id: string, running: RunningContainer): Promise<void> {
  const { runtime, stateRoot } = running;
  const args = [...stateRootArgs(stateRoot), "delete", "--force", id];
  check(await run(runtime, args), `Cannot stop container "${id}"`, "busy");
}

/** What the runtime says of the container (runtime-spec, "State"); null where it knows none. */
async function readState(
  runtime: RuntimeName,
  stateRoot: string | null,
  id: string,
): Promise<{ bundle: string; status: RunningContainer["status"]; pid: number } | null> {
  try {
    const result = await run(runtime, [...stateRootArgs(stateRoot), "state", id]);
    if (result.code !== 0 && UNKNOWN.test(result.stderr)) return null;
    const { stdout } = check(result, `Cannot ask ${runtime} for container "${id}"`);
    const { bundle, status, pid = 0 } = JSON.parse(stdout);
    return { bundle, status, pid };
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "program-missing") return null;
    throw error;
  }
}

/** Every place where the runtime's state of a container of this bundle may be. */
function stateRoots(runtime: RuntimeName, bundle: string): (string | null)[] {
  const usual = usualStateRoot(runtime, bundle);
  const own = `${bundle}/${STATE_DIRECTORY}`;
  const roots = usual === own ? [] : [usual];
  return lstatOrNull(own) === null ? roots : [...roots, own];
}

/** Where the state goes now; null for the runtime's default, which only root may write. */
function usualStateRoot(runtime: RuntimeName, bundle: string): string | null {
  if (Deno.uid() === 0) return null;
  const session = Deno.env.get("XDG_RUNTIME_DIR");
  return session ? `${session}/${runtime}` : `${bundle}/${STATE_DIRECTORY}`;
}

function stateRootArgs(stateRoot: string | null): string[] {
  return stateRoot === null ? [] : ["--root", stateRoot];
}

/** Whether two paths are one directory; a bundle that is gone is none. */
function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  try {
    return Deno.realPathSync(one) === Deno.realPathSync(other);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return false;
    throw storageError(error, `Cannot look up the bundle "${one}"`);
  }
}

function isUnavailable(error: unknown): error is LayerfsError {
  return error instanceof LayerfsError &&
    (error.code === "program-missing" || error.code === "permission-missing");
}
