/**
 * Extraction of spool files by `tar`: the main thread starts it, so that it runs beside the thread
 * that fills the next spool, which must not stand still for anything but the result.
 *
 *     control   0 done      spools that are extracted, or given up
 *     (words)   1 failed    1: one could not be extracted; the main thread knows why
 *               2 length    bytes of text: what tar complained of, a line each
 *     text      up to {@linkcode TEXT_BYTES}
 *
 * @module
 */

import { firstComplaints, saysFull } from "../complaints.ts";
import { LayerfsError } from "../errors.ts";
import { isInterrupted, run } from "../process.ts";

const DONE = 0;
const FAILED = 1;
const LENGTH = 2;

/** Spools that may wait for tar, or be in its hands, at a time: they take room beside the files. */
const MOST_WAITING = 8;

/** More complaints than anybody reads. */
const TEXT_BYTES = 64 * 1024;

/**
 * Bytes that it reads at once, and so the most that it writes at once: with its own 10 KiB it makes
 * 6 % more calls, nearly all of them reads and writes (measured).
 */
const RECORD_BYTES = 256 * 1024;

/** What its messages begin with: Deno starts a program by its full path. */
const PROGRAM_NAME = /^(?:\/\S*\/)?tar: /;

/** tar's complaints about what the filesystem cannot hold: it goes on, and so do we, saying so. */
const ATTRIBUTE_WARNING = /^.*: Cannot (?:set|setxattr|lsetxattr|fsetxattr)/;

/** An archive to be extracted. */
export interface Spool {
  /** Absolute path of the archive, which is removed afterwards. */
  readonly spool: string;
  /** The layer that it is of, by its number in the pipeline. */
  readonly layer: number;
  /** Absolute path of the tree. */
  readonly root: string;
  /** Whether owners are set: without, files are whose they are when they are made. */
  readonly setsOwner: boolean;
  readonly hasXattrs: boolean;
}

/** Who extracts spools for the thread that fills them. */
export interface Extractor {
  /** Begins with a spool, once those before it are done with. May wait for some of these. */
  begin(spool: Spool): void;
  /**
   * Waits for all of them.
   *
   * @returns what could not be kept since the last call, for people to read
   * @throws {ExtractionFailed} where one could not be extracted
   */
  finish(): string[];
}

/** Thrown where a spool could not be extracted: the thread that was asked to knows why. */
export class ExtractionFailed extends Error {}

/** What the two threads share. */
export interface SharedOutcome {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly text: Uint8Array<SharedArrayBuffer>;
}

/** Asks another thread to extract. */
export class RemoteExtractor implements Extractor {
  readonly #outcome: SharedOutcome;
  readonly #ask: (spool: Spool) => void;
  #begun = 0;
  #read = 0;

  /** @param ask sends a spool to the thread that has an {@linkcode ExtractionQueue} */
  constructor(outcome: SharedOutcome, ask: (spool: Spool) => void) {
    this.#outcome = outcome;
    this.#ask = ask;
  }

  begin(spool: Spool): void {
    this.#waitFor(this.#begun - MOST_WAITING + 1);
    this.#begun++;
    this.#ask(spool);
  }

  finish(): string[] {
    const { control, text } = this.#outcome;
    this.#waitFor(this.#begun);
    if (Atomics.load(control, FAILED) === 1) throw new ExtractionFailed();
    const length = Atomics.load(control, LENGTH);
    const lines = new TextDecoder().decode(text.slice(this.#read, length)).split("\n");
    this.#read = length;
    return lines.filter((line) => line !== "");
  }

  /** Waits until so many spools are done with. */
  #waitFor(count: number): void {
    const { control } = this.#outcome;
    for (let done = 0; done < count; done = Atomics.load(control, DONE)) {
      Atomics.wait(control, DONE, done);
    }
  }
}

/** Extracts what a {@linkcode RemoteExtractor} asks for. */
export class ExtractionQueue {
  readonly outcome: SharedOutcome = {
    control: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
    text: new Uint8Array(new SharedArrayBuffer(TEXT_BYTES)),
  };
  readonly #abort = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #failure: { readonly error: Error; readonly layer: number } | null = null;

  /** Queues a spool. */
  add(spool: Spool): void {
    this.#work = this.#work.then(() => this.#extract(spool));
  }

  /** Ends the program that runs, and starts no other. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Settles when nothing is going on any more; never rejects. */
  get idle(): Promise<void> {
    return this.#work;
  }

  /** Why a spool could not be extracted, and of which layer it was; null where all were. */
  get failure(): { readonly error: Error; readonly layer: number } | null {
    return this.#failure;
  }

  async #extract(spool: Spool): Promise<void> {
    const { control, text } = this.outcome;
    try {
      if (this.#failure === null) {
        const warnings = await extractSpool(spool, this.#abort.signal);
        const { written } = new TextEncoder().encodeInto(
          warnings.map((line) => `${line}\n`).join(""),
          text.subarray(Atomics.load(control, LENGTH)),
        );
        Atomics.add(control, LENGTH, written);
      }
    } catch (error) {
      this.#failure = {
        error: error instanceof Error ? error : new Error(String(error)),
        layer: spool.layer,
      };
      Atomics.store(control, FAILED, 1);
    }
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}

/**
 * Extracts a spool and removes it.
 *
 * @returns what could not be kept, for people to read
 * @throws {LayerfsError} `storage-full`, `storage`, `privilege-missing`, `interrupted`
 */
async function extractSpool(spool: Spool, signal: AbortSignal): Promise<string[]> {
  const { code, stderr } = await run("tar", extractArguments(spool), { cwd: spool.root, signal });
  Deno.removeSync(spool.spool);
  return readComplaints(code, stderr);
}

/**
 * What tar is told. It runs in the tree's root: in `--directory` it takes a backslash for an escape,
 * and a colon in the name of an archive for that of a host, unless it is told otherwise.
 */
export function extractArguments({ spool, setsOwner, hasXattrs }: Spool): string[] {
  return [
    "--extract",
    "--force-local",
    `--file=${spool}`,
    `--record-size=${RECORD_BYTES}`,
    "--preserve-permissions",
    "--numeric-owner",
    "--warning=no-unknown-keyword", // hdrcharset, which it obeys all the same
    setsOwner ? "--same-owner" : "--no-same-owner",
    ...(hasXattrs ? ["--xattrs", "--xattrs-include=*"] : []),
  ];
}

/**
 * What tar complained of that is no error.
 *
 * @throws {LayerfsError} where it has failed
 */
export function readComplaints(code: number, stderr: string): string[] {
  const lines = stderr.split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(PROGRAM_NAME, ""));
  if (isInterrupted(code)) {
    throw new LayerfsError("interrupted", "Cannot write files: interrupted");
  }
  if (code !== 0) throw tarError(code, lines.filter((line) => !ATTRIBUTE_WARNING.test(line)));
  return lines.filter((line) => ATTRIBUTE_WARNING.test(line));
}

function tarError(code: number, lines: string[]): LayerfsError {
  const text = firstComplaints(lines) || `tar ended with status ${code}`;
  const action = "Cannot write files";
  if (saysFull(text)) {
    return new LayerfsError("storage-full", `${action}: ${text}; free some space`);
  }
  if (/File name too long/.test(text)) {
    return new LayerfsError("image-invalid", `${action}: ${text}`);
  }
  if (/Operation not permitted|Permission denied/.test(text)) {
    return new LayerfsError("privilege-missing", `${action}: ${text}; run as root`);
  }
  return new LayerfsError("storage", `${action}: ${text}`);
}
