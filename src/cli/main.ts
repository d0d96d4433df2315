/**
 * The command line: words in, an exit status out.
 *
 * @example
 * ```ts
 * import { main } from "./main.ts";
 *
 * const status = await main(["--version"]);
 * console.assert(status === 0);
 * ```
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { exitStatus, LayerfsError, printable } from "../errors.ts";
import type { Context, Outcome } from "./context.ts";
import { explain } from "./explain.ts";
import { commandHelp, overallHelp } from "./help.ts";
import { type Io, ReaderGoneError, systemIo } from "./io.ts";
import { type Globals, parse, type Parsed, wantsJson } from "./parse.ts";
import { specOf } from "./specs.ts";
import { createStyle } from "./style.ts";

/** The version, which deno.json holds. */
export const VERSION: string = config.version;

type CommandLine = Extract<Parsed, { kind: "command" }>;

/**
 * Runs one command line and prints what comes of it, errors included.
 *
 * @returns the exit status (see errors.ts)
 */
export async function main(args: readonly string[], io: Io = systemIo()): Promise<number> {
  try {
    return await runLine(args, io);
  } catch (error) {
    if (error instanceof ReaderGoneError) return exitStatus("unexpected");
    throw error;
  }
}

async function runLine(args: readonly string[], io: Io): Promise<number> {
  let parsed: Parsed | undefined;
  try {
    parsed = parse(args);
    if (parsed.kind === "help") {
      io.stdout(parsed.name === undefined ? overallHelp() : commandHelp(parsed.name));
      return 0;
    }
    if (parsed.kind === "version") {
      io.stdout(parsed.globals.json ? toJson({ version: VERSION }) : `layerfs ${VERSION}\n`);
      return 0;
    }
    return print(await execute(parsed, io), parsed.globals, io);
  } catch (error) {
    if (error instanceof ReaderGoneError) throw error;
    const name = parsed?.kind === "command" ? parsed.name : undefined;
    return report(explain(error, `Cannot finish ${name ?? "layerfs"}`), {
      json: parsed?.globals.json ?? wantsJson(args),
      debug: parsed?.globals["log-level"] === "debug",
    }, io);
  }
}

/** Runs a command; where a signal aborts it, it is waited for until it has cleaned up. */
async function execute(line: CommandLine, io: Io): Promise<Outcome> {
  const { globals } = line;
  const controller = new AbortController();
  const abort = (signal: string) => {
    const message = `Cannot finish ${line.name}: interrupted by ${signal}`;
    controller.abort(new LayerfsError("interrupted", message, { signal }));
  };
  const stopListening = specOf(line.name).cleansUp ? io.onInterrupt(abort) : () => {};
  const progress = showsProgress(globals, io) ? await progressLine(io) : undefined;
  try {
    // Loaded here: help and version need neither.
    const { loadCommand }: typeof import("./commands.ts") = await import(
      import.meta.resolve("./commands.ts")
    );
    const { chooseStore }: typeof import("./store_choice.ts") = await import(
      import.meta.resolve("./store_choice.ts")
    );
    const context: Context = {
      io,
      globals,
      style: createStyle(io.stdoutIsTerminal && !io.noColor),
      signal: controller.signal,
      ...(progress === undefined ? {} : { onProgress: (event) => progress.show(event) }),
      onWarning: (warning) => warn(warning, globals, io),
      store: () => {
        const choice = chooseStore(globals, io);
        debug(globals, io, `${line.name} on ${JSON.stringify(choice)}`);
        return choice;
      },
    };
    const handler = await loadCommand(line.name);
    return await handler({ values: line.values, operands: line.operands }, context);
  } catch (error) {
    // The reason names the signal, which whatever was interrupted need not know.
    const interrupted = controller.signal.aborted && explain(error, "").code === "interrupted";
    throw interrupted ? controller.signal.reason : error;
  } finally {
    progress?.clear();
    stopListening();
  }
}

function showsProgress(globals: Globals, io: Io): boolean {
  return io.stderrIsTerminal && !globals.quiet && !globals["no-progress"];
}

async function progressLine(io: Io) {
  const { ProgressLine }: typeof import("./progress.ts") = await import(
    import.meta.resolve("./progress.ts")
  );
  const { columns } = io;
  return new ProgressLine({ write: io.stderr, columns, now: () => performance.now() });
}

/** Prints a result; returns its exit status. */
function print(outcome: Outcome, globals: Globals, io: Io): number {
  const { status = 0, document, text, warnings = [], remark } = outcome;
  // In JSON they are part of the document.
  if (!globals.json) { for (const warning of warnings) warn(warning, globals, io); }
  const level = globals["log-level"];
  const watched = io.stderrIsTerminal || level === "info" || level === "debug";
  if (remark !== undefined && watched && !globals.quiet && !globals.json) {
    io.stderr(`${printable(remark)}\n`);
  }
  if (!globals.json) {
    if (text !== undefined) io.stdout(text);
  } else if (document !== undefined) io.stdout(toJson(document));
  return status;
}

function warn(warning: string, globals: Globals, io: Io): void {
  if (globals.quiet || globals["log-level"] === "error") return;
  const style = createStyle(io.stderrIsTerminal && !io.noColor);
  io.stderr(`layerfs: ${style.yellow("warning:")} ${printable(warning)}\n`);
}

/** Prints an error; returns its exit status. */
function report(error: LayerfsError, how: { json: boolean; debug: boolean }, io: Io): number {
  const style = createStyle(io.stderrIsTerminal && !io.noColor);
  if (how.json) io.stdout(toJson(error));
  else io.stderr(`layerfs: ${style.red(error.message)}\n`);
  if (how.debug) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      const lines = (cause.stack ?? cause.message).split("\n");
      io.stderr(lines.map((line) => `${printable(line)}\n`).join(""));
    }
  }
  return exitStatus(error.code);
}

function debug(globals: Globals, io: Io, message: string): void {
  if (globals["log-level"] === "debug") io.stderr(`layerfs: debug: ${printable(message)}\n`);
}

function toJson(document: unknown): string {
  return JSON.stringify(document, null, 2) + "\n";
}
