/**
 * Other programs: the only module of layerfs that starts any.
 *
 * Programs get their arguments as an array (no shell is ever in between), messages in the C locale
 * where we read them, and are stopped when the caller's signal aborts. A program that is missing, or
 * that Deno has not been allowed to run, is an error that says what to install or which flag to add.
 *
 * @example
 * ```ts
 * import { check, run } from "./process.ts";
 *
 * const stdin = new TextEncoder().encode("hello");
 * const { stdout } = check(await run("cat", [], { stdin }), "Cannot copy");
 * console.assert(stdout === "hello");
 * ```
 *
 * @module
 */

import { firstComplaints, saysFull } from "./complaints.ts";
import { type ErrorCode, LayerfsError } from "./errors.ts";

/** The Debian package that brings each program in use. */
const PACKAGES: Readonly<Record<string, string>> = {
  cat: "coreutils",
  chmod: "coreutils",
  cp: "coreutils",
  crun: "crun",
  du: "coreutils",
  find: "findutils",
  findmnt: "util-linux",
  fuser: "psmisc",
  getcap: "libcap2-bin",
  getfattr: "attr",
  id: "coreutils",
  mknod: "coreutils",
  mount: "mount",
  newgidmap: "uidmap",
  newuidmap: "uidmap",
  rm: "coreutils",
  runc: "runc",
  setcap: "libcap2-bin",
  setfattr: "attr",
  stat: "coreutils",
  sync: "coreutils",
  tar: "tar",
  umount: "mount",
  unshare: "util-linux",
  xargs: "findutils",
  zfs: "zfsutils-linux",
  zpool: "zfsutils-linux",
};

/** What makes programs speak and act alike for everybody. GNU tar takes options from TAR_OPTIONS. */
const PLAIN_ENVIRONMENT = { LC_ALL: "C", TAR_OPTIONS: "" } as const;

/** How a program is started. */
export interface RunOptions {
  /** Bytes for its standard input; without them that is empty. */
  readonly stdin?: Uint8Array | ReadableStream<Uint8Array>;
  /** Whether it may succeed without having read all of that. */
  readonly mayLeaveInput?: boolean;
  /** Directory that it runs in; ours where it is absent. */
  readonly cwd?: string;
  /** Variables on top of our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program (SIGTERM) when it aborts; the call then throws `interrupted`. */
  readonly signal?: AbortSignal;
}

/** What a program left behind. */
export interface RunResult {
  /** Name or path that it was started by. */
  readonly program: string;
  /** Exit status; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  /** Its output as bytes: names in it need not be UTF-8. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same as text. */
  readonly stdout: string;
  /** Its error output as text. */
  readonly stderr: string;
}

/**
 * Runs a program to its end and collects what it writes. A failure of the program is a result, not
 * an exception: see {@linkcode check}.
 *
 * @throws {LayerfsError} `program-missing`, `permission-missing` or `interrupted`
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawn(program, {
    args: [...args],
    cwd: options.cwd,
    // A parser of messages must not meet translated ones.
    env: { ...PLAIN_ENVIRONMENT, ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }, options.signal);
  const fed = feed(child, options);
  const output = await waitFor(program, child, options.signal, () => child.output());
  const error = await fed;
  // A program that fails stops reading: its own message is the better one.
  if (error !== null && output.success) throw error;
  return toResult(program, output);
}

/**
 * Runs a program to its end, without letting anything else of this thread run meanwhile: for the
 * worker that applies layers, which has nothing else to do.
 *
 * @throws {LayerfsError} `program-missing` or `permission-missing`
 */
export function runSync(program: string, args: readonly string[], cwd?: string): RunResult {
  const options = { args: [...args], cwd, env: PLAIN_ENVIRONMENT, stdin: "null" as const };
  try {
    return toResult(program, new Deno.Command(program, options).outputSync());
  } catch (error) {
    throw spawnError(program, cwd, error);
  }
}

/**
 * Runs a program and hands on what it writes piece by piece, so that memory stays bounded. What
 * `take` throws closes the program's output, which ends it, and is thrown once it is gone.
 *
 * @returns the result without the output
 * @throws {LayerfsError} as {@linkcode run}
 */
export async function runStreaming(
  program: string,
  args: readonly string[],
  take: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  { cwd, signal }: Pick<RunOptions, "cwd" | "signal"> = {},
): Promise<RunResult> {
  const pipes = { cwd, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = spawn(program, { args: [...args], env: PLAIN_ENVIRONMENT, ...pipes }, signal);
  const ended = Promise.all([child.status, new Response(child.stderr).bytes()]);
  return await waitFor(program, child, signal, async () => {
    // A stream that `take` leaves is closed: the program ends as it writes on.
    await child.stdout.pipeTo(new WritableStream({ write: take })).finally(() => ended);
    const [status, stderr] = await ended;
    return toResult(program, { ...status, stdout: new Uint8Array(), stderr });
  });
}

/** Whether an exit status says that SIGHUP, SIGINT or SIGTERM ended the program. */
export function isInterrupted(code: number): boolean {
  return code === 129 || code === 130 || code === 143;
}

/**
 * Passes a result on if the program succeeded.
 *
 * @param action the failed action, such as `Cannot mount "x"`: the message begins with it
 * @param code the error's code; of `storage`, a program that says so makes `storage-full`
 * @throws {LayerfsError} whose message has what the program wrote to its standard error
 */
export function check(
  result: RunResult,
  action: string,
  code: ErrorCode = "unexpected",
): RunResult {
  if (result.code === 0) return result;
  const said = firstComplaints(result.stderr.trim().split(/\s*\n\s*/));
  const state = `${result.program} ended with status ${result.code}`;
  const cause = code === "storage" && saysFull(said) ? "storage-full" : code;
  throw new LayerfsError(cause, `${action}: ${state}${said === "" ? "" : `: ${said}`}`, {
    program: result.program,
    status: result.code,
    stderr: said,
  });
}

/** Signals that ask a program to end or to act; KILL and STOP cannot be caught, so not passed on. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Signals that a terminal sends to every process in front of it, the child included. */
const FROM_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT", "SIGHUP"]);

/** Whether our standard input, which an inherited program gets, is a terminal. */
export function isAtTerminal(): boolean {
  return Deno.stdin.isTerminal();
}

/** How {@linkcode runInherited} starts a program. */
export interface InheritOptions {
  /** Directory that it runs in; ours where it is absent. */
  readonly cwd?: string;
  /** Ends the program (SIGTERM) when it aborts; the call then throws `interrupted`. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a program on our own standard input, output and error, terminal included, and passes on to it
 * the signals that reach us, so that whoever stops layerfs stops the program.
 *
 * From a terminal, Ctrl-C goes to the program by itself; it is not sent a second time, which many
 * programs take as "now at once".
 *
 * @returns its exit status; 128 and the signal's number where a signal ended it
 * @throws {LayerfsError} `program-missing`, `permission-missing` or `interrupted`
 */
export async function runInherited(
  program: string,
  args: readonly string[],
  options: InheritOptions = {},
): Promise<number> {
  const atTerminal = isAtTerminal();
  let child: Deno.ChildProcess | null = null;
  // Before the start: a signal that comes early must not end us and leave the program behind. Its
  // listener runs after this turn of the event loop, when there is a child.
  const listeners = FORWARDED.map((name) => {
    const listener = () => {
      if (child !== null && !(atTerminal && FROM_TERMINAL.has(name))) send(child, name);
    };
    Deno.addSignalListener(name, listener);
    return () => Deno.removeSignalListener(name, listener);
  });
  try {
    const started = spawn(program, {
      args: [...args],
      cwd: options.cwd,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }, options.signal);
    child = started;
    return (await waitFor(program, started, options.signal, () => started.status)).code;
  } finally {
    for (const remove of listeners) remove();
  }
}

function toResult(program: string, output: Deno.CommandOutput): RunResult {
  const text = new TextDecoder();
  return {
    program,
    code: output.code,
    bytes: output.stdout,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}

/** Starts a program, or explains why it cannot be started. */
function spawn(
  program: string,
  options: Deno.CommandOptions,
  signal: AbortSignal | undefined,
): Deno.ChildProcess {
  if (signal?.aborted) throw interrupted(program);
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    throw spawnError(program, options.cwd, error);
  }
}

/** Waits for `result`; ends the child when `signal` aborts, and throws once it is gone. */
async function waitFor<T>(
  program: string,
  child: Deno.ChildProcess,
  signal: AbortSignal | undefined,
  result: () => Promise<T>,
): Promise<T> {
  const abort = () => send(child, "SIGTERM");
  signal?.addEventListener("abort", abort);
  try {
    const value = await result();
    if (signal?.aborted) throw interrupted(program);
    return value;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Sends a signal to a child that may be gone by now. */
function send(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch (error) {
    // TypeError: "Child process has already terminated".
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Writes what is meant for its standard input to the child and closes it.
 *
 * @returns the error that stopped the writing, if one did: the caller knows whether it matters
 */
async function feed(child: Deno.ChildProcess, { stdin, mayLeaveInput }: RunOptions) {
  if (stdin === undefined) return null;
  const source = stdin instanceof ReadableStream ? stdin : ReadableStream.from([stdin]);
  try {
    await source.pipeTo(child.stdin);
    return null;
  } catch (error) {
    return mayLeaveInput && error instanceof Deno.errors.BrokenPipe ? null : error;
  }
}

function interrupted(program: string): LayerfsError {
  return new LayerfsError("interrupted", `Cannot wait for ${program}: interrupted`);
}

function spawnError(program: string, cwd: string | URL | undefined, error: unknown): unknown {
  const options = { cause: error };
  if (error instanceof Deno.errors.NotCapable) return permissionMissing(program, error);
  if (error instanceof Deno.errors.NotFound && error.message.includes("No such cwd")) {
    const state = `there is no directory "${cwd ?? "."}" that it can run in`;
    return new LayerfsError("not-found", `Cannot run "${program}": ${state}`, {}, options);
  }
  if (error instanceof Deno.errors.NotFound) {
    const debian = PACKAGES[program.slice(program.lastIndexOf("/") + 1)];
    const message = `Cannot run "${program}": no such program`;
    if (debian === undefined) {
      return new LayerfsError("program-missing", message, { program }, options);
    }
    const advice = `install the Debian package ${debian} (apt install ${debian})`;
    const data = { program, package: debian };
    return new LayerfsError("program-missing", `${message}; ${advice}`, data, options);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    const state = "permission denied; is it executable?";
    return new LayerfsError("privilege-missing", `Cannot run "${program}": ${state}`, {
      program,
    }, options);
  }
  return error;
}

/** Deno refuses a program without its flag, and any at all with LD_PRELOAD and its like set. */
function permissionMissing(program: string, error: Error): LayerfsError {
  const variable = /subprocess with (\S+) environment variable/.exec(error.message)?.[1];
  const state = variable === undefined
    ? `Deno may not run it; add --allow-run=${program}`
    : `Deno starts no program by name while ${variable} is set; unset it`;
  const flag = variable === undefined ? `--allow-run=${program}` : "--allow-run";
  return new LayerfsError("permission-missing", `Cannot run "${program}": ${state}`, {
    program,
    flag,
  }, { cause: error });
}
