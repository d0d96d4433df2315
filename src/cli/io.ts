/**
 * What the command line needs of the process it runs in: everything that a test wants to replace.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { errnoName } from "../system_error.ts";
import { readHiddenLine } from "./hidden_line.ts";

/** Whoever read our output has gone, as head(1) does: there is nobody left to tell anything. */
export class ReaderGoneError extends Error {
  override readonly name = "ReaderGoneError";
}

/** The process around a command. */
export interface Io {
  /** Writes all of `text` to standard output. */
  readonly stdout: (text: string) => void;
  /** Writes all of `text` to standard error, if somebody is there to read it. */
  readonly stderr: (text: string) => void;
  /** Standard output is a terminal. */
  readonly stdoutIsTerminal: boolean;
  /** Standard error is a terminal. */
  readonly stderrIsTerminal: boolean;
  /** Characters of a line of the terminal. */
  readonly columns: number;
  /** Colours are unwanted (NO_COLOR). */
  readonly noColor: boolean;
  /**
   * Values of environment variables.
   *
   * @throws {LayerfsError} `permission-missing`, with one flag for all of `names`
   */
  readonly env: (names: readonly string[]) => ReadonlyMap<string, string>;
  /** All of standard input, which must be text. */
  readonly stdin: () => string;
  /**
   * Asks for a line.
   *
   * @throws {LayerfsError} `usage` where nobody can be asked
   */
  readonly ask: (question: string) => string;
  /**
   * Asks for a line that is not shown as it is typed.
   *
   * @param instead what to do where nobody can be asked, for the error
   * @throws {LayerfsError} `usage` where nobody can be asked
   */
  readonly readSecret: (prompt: string, instead: string) => string;
  /** Numeric user id. */
  readonly uid: () => number;
  /** Calls `listener` with each SIGINT and SIGTERM; returns what ends that. */
  readonly onInterrupt: (listener: (signal: string) => void) => () => void;
}

/** The process we are in. */
export function systemIo(): Io {
  // Of a terminal that was closed, the system says that it is none.
  const stdoutIsTerminal = Deno.stdout.isTerminal();
  const stderrIsTerminal = Deno.stderr.isTerminal();
  return {
    stdout: (text) => writeAll(Deno.stdout, text, stdoutIsTerminal),
    stderr: (text) => unlessGone(() => writeAll(Deno.stderr, text, stderrIsTerminal)),
    stdoutIsTerminal,
    stderrIsTerminal,
    // A terminal that does not know its width says 0.
    columns: (stderrIsTerminal ? Deno.consoleSize().columns : 0) || 80,
    noColor: Deno.noColor,
    env: readEnvironment,
    stdin: readInput,
    ask: askLine,
    readSecret: readHiddenLine,
    uid: () => Deno.uid() ?? 0,
    onInterrupt: (listener) => {
      const removals = (["SIGINT", "SIGTERM"] as const).map((signal) => {
        const handler = () => listener(signal);
        Deno.addSignalListener(signal, handler);
        return () => Deno.removeSignalListener(signal, handler);
      });
      return () => removals.forEach((remove) => remove());
    },
  };
}

/** What is told beside the result stops no work where nobody hears it: the exit status tells enough. */
function unlessGone(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof ReaderGoneError)) throw error;
  }
}

function askLine(question: string): string {
  if (Deno.stdin.isTerminal()) return prompt(question) ?? "";
  throw new LayerfsError(
    "usage",
    "Cannot ask for a user name: standard input is no terminal; add --username USER",
  );
}

/** Milliseconds until a pipe that is full, and was opened not to wait, is tried again. */
const RETRY = 5;

/**
 * Writes all of `text`: a pipe may take less than it is given, or nothing for now. Not by node:fs,
 * which takes as long to load as all else that `--version` does (measured: 20 of 45 ms).
 */
function writeAll(stream: typeof Deno.stdout, text: string, isTerminal: boolean): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(stream.writeSync(bytes));
    } catch (cause) {
      const isClosed = isTerminal && errnoName(cause) === "EIO";
      if (cause instanceof Deno.errors.BrokenPipe || isClosed) {
        throw new ReaderGoneError("Cannot write: the reader has gone", { cause });
      }
      if (!(cause instanceof Deno.errors.WouldBlock)) throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY);
    }
  }
}

/** All of standard input, up to its end. */
function readInput(): string {
  const decoder = new TextDecoder();
  const piece = new Uint8Array(64 * 1024);
  let text = "";
  for (let n = Deno.stdin.readSync(piece); n !== null; n = Deno.stdin.readSync(piece)) {
    text += decoder.decode(piece.subarray(0, n), { stream: true });
  }
  return text + decoder.decode();
}

function readEnvironment(names: readonly string[]): ReadonlyMap<string, string> {
  try {
    const pairs = names.map((name) => [name, Deno.env.get(name)] as const);
    return new Map(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    const flag = `--allow-env=${names.join(",")}`;
    throw new LayerfsError(
      "permission-missing",
      `Cannot read ${names.join(", ")} from the environment: Deno may not do this; ` +
        `add ${flag} to its command line, or give the value itself`,
      { flag },
      { cause },
    );
  }
}
