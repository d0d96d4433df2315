/**
 * A stream of entries in, a tar archive out: the interface of `@std/tar`'s `TarStream`, extended by
 * links, devices, FIFOs, extended attributes, times with fractions, and names, ids and sizes of any
 * length (pax).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { TarStream, type TarStreamInput } from "./tar_stream.ts";
 *
 * const archive = ReadableStream.from<TarStreamInput>([
 *   { type: "directory", path: "etc", options: { mtime: 0 } },
 *   {
 *     type: "file",
 *     path: "etc/motd",
 *     size: 6,
 *     readable: new Blob(["hello\n"]).stream(),
 *     options: { mtime: 0.5, xattrs: new Map([["user.note", new Uint8Array([1])]]) },
 *   },
 *   { type: "symlink", path: "motd", linkPath: "etc/motd", options: { mtime: 0 } },
 * ]).pipeThrough(new TarStream());
 * assertEquals((await new Response(archive).bytes()).length % 512, 0);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { encodeHeader, endOfArchive, padding, type TarHeader, type TarTime } from "./header.ts";

/** What an entry may say beside its name and content. */
export interface TarStreamOptions {
  /** Permission bits; 0o755 for directories, 0o777 for symlinks and 0o644 for others if absent. */
  mode?: number;
  /** Default 0. */
  uid?: number;
  /** Default 0. */
  gid?: number;
  /** Seconds since 1970, with a fraction to the microsecond, or an exact time; default now. */
  mtime?: number | TarTime;
  /** Name of the owner. Default "". */
  uname?: string;
  /** Name of the group. Default "". */
  gname?: string;
  /** Device major number; a string holds octal digits, as in `@std/tar`. */
  devmajor?: string | number;
  /** Device minor number, likewise. */
  devminor?: string | number;
  /** Extended attributes by full name, such as "user.note". */
  xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** What every entry has. */
export interface TarStreamCommon {
  /** Relative to the archive's root; bytes where the name is not UTF-8. */
  path: string | Uint8Array;
  /** Mode, owner, times and the like. */
  options?: TarStreamOptions;
}

/** A regular file. */
export interface TarStreamFile extends TarStreamCommon {
  /** Kind of the entry. */
  type: "file";
  /** Bytes that `readable` gives: neither more nor less. */
  size: number;
  /** The file's bytes. */
  readable: ReadableStream<Uint8Array>;
}

/** A directory. */
export interface TarStreamDir extends TarStreamCommon {
  /** Kind of the entry. */
  type: "directory";
}

/** A symbolic or hard link. */
export interface TarStreamLink extends TarStreamCommon {
  /** Kind of the entry. */
  type: "symlink" | "hardlink";
  /** Any text for a symlink, a path of the archive for a hard link. */
  linkPath: string | Uint8Array;
}

/** A device (with `devmajor` and `devminor` in the options) or a FIFO. */
export interface TarStreamSpecial extends TarStreamCommon {
  /** Kind of the entry. */
  type: "character" | "block" | "fifo";
}

/** Everything that a {@linkcode TarStream} takes. */
export type TarStreamInput = TarStreamFile | TarStreamDir | TarStreamLink | TarStreamSpecial;

const DEFAULT_MODES: Partial<Record<TarStreamInput["type"], number>> = {
  directory: 0o755,
  symlink: 0o777,
};

/**
 * Turns entries into the bytes of a tar archive. Content is passed through as it is read, so
 * memory does not grow with the size of a file.
 *
 * The stream fails with a {@linkcode LayerfsError}: `unsupported` for an entry that tar cannot
 * carry, `size-mismatch` for a file whose content is not as long as its `size`.
 */
export class TarStream implements TransformStream<TarStreamInput, Uint8Array<ArrayBuffer>> {
  readonly #readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #writable: WritableStream<TarStreamInput>;

  constructor() {
    const { readable, writable } = new TransformStream<TarStreamInput, TarStreamInput>();
    this.#writable = writable;
    this.#readable = ReadableStream.from(archive(readable));
  }

  /** The archive. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable;
  }

  /** Takes the entries, in the order in which the archive will have them. */
  get writable(): WritableStream<TarStreamInput> {
    return this.#writable;
  }
}

/**
 * Says whether `options` can be written.
 *
 * @throws {LayerfsError} `unsupported`, naming the option
 */
export function assertValidTarStreamOptions(options: TarStreamOptions): void {
  encodeHeader(headerOf({ type: "character", path: "options", options }));
}

async function* archive(
  entries: ReadableStream<TarStreamInput>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const entry of entries) {
    yield encodeHeader(headerOf(entry));
    if (entry.type !== "file") continue;
    yield* content(entry);
    const fill = padding(entry.size);
    if (fill.length > 0) yield fill;
  }
  yield endOfArchive();
}

/** The file's bytes. What is too long is noticed before it reaches the archive. */
async function* content(entry: TarStreamFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let read = 0;
  for await (const chunk of entry.readable) {
    read += chunk.length;
    if (read > entry.size) throw wrongSize(entry, `at least ${read}`);
    // Nobody else holds memory that other threads could change under the reader.
    yield chunk as Uint8Array<ArrayBuffer>;
  }
  if (read < entry.size) throw wrongSize(entry, String(read));
}

function wrongSize(entry: TarStreamFile, found: string): LayerfsError {
  return new LayerfsError(
    "size-mismatch",
    `Cannot write "${entry.path}" to a tar archive: it should have ${entry.size} bytes and ` +
      `has "${found}"`,
  );
}

function headerOf(entry: TarStreamInput): TarHeader {
  const { type, path, options = {} } = entry;
  return {
    type,
    path,
    ...("linkPath" in entry ? { linkPath: entry.linkPath } : {}),
    ...("size" in entry ? { size: entry.size } : {}),
    mode: permissionBits(options.mode ?? DEFAULT_MODES[type] ?? 0o644),
    uid: options.uid,
    gid: options.gid,
    mtime: exactTime(options.mtime ?? Date.now() / 1000),
    uname: options.uname,
    gname: options.gname,
    major: deviceNumber(options.devmajor),
    minor: deviceNumber(options.devminor),
    xattrs: options.xattrs,
  };
}

/** A mode out of stat(2) has the file type in its upper bits: tar has a field of its own for it. */
function permissionBits(mode: number): number {
  return Number.isInteger(mode) && mode >= 0 && mode <= 0o177777 ? mode & 0o7777 : mode;
}

function deviceNumber(value: string | number | undefined): number {
  if (typeof value === "number") return value;
  if (value === undefined || value === "") return 0;
  return /^[0-7]+$/.test(value) ? parseInt(value, 8) : NaN;
}

/** A double holds the seconds of this century to a quarter of a microsecond. */
function exactTime(time: number | TarTime): TarTime {
  if (typeof time !== "number") return time;
  const seconds = Math.floor(time);
  const microseconds = Math.round((time - seconds) * 1e6);
  if (microseconds === 1_000_000) return { seconds: seconds + 1, nanoseconds: 0 };
  return { seconds, nanoseconds: microseconds * 1000 };
}
