/**
 * The bytes of a tar archive in, its entries out: the interface of `@std/tar`'s `UntarStream`,
 * extended by everything that the project's scanner reads (pax, GNU, links, devices, xattrs, sparse
 * files).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeHeader, endOfArchive } from "./header.ts";
 * import { UntarStream } from "./untar_stream.ts";
 *
 * const header = encodeHeader({ type: "directory", path: "etc", mode: 0o755 });
 * const archive = new Blob([header, endOfArchive()]).stream();
 * for await (const entry of archive.pipeThrough(new UntarStream())) {
 *   assertEquals([entry.path, entry.header.mode], ["etc", 0o755]);
 *   await entry.readable?.cancel();
 * }
 * ```
 *
 * @module
 */

import { decodeName, hasRawName } from "../core/raw_name.ts";
import { type TarEntry, TarScanner } from "../core/tar_scanner.ts";
import { type TarEntryType, TYPE_FLAGS } from "./header.ts";

/** The header of an entry: as in `@std/tar`, without magic and owner names, with what pax adds. */
export interface TarStreamHeader {
  /** Same as the entry's path. */
  readonly name: string;
  /** Always "". */
  readonly prefix: string;
  /** Permissions, 12 bits. */
  readonly mode: number;
  /** Number of the owner. */
  readonly uid: number;
  /** Number of the group. */
  readonly gid: number;
  /** Bytes of the file, holes included. */
  readonly size: number;
  /** Whole seconds since 1970, rounded down. */
  readonly mtime: number;
  /** 0 to 999,999,999, added to the seconds. */
  readonly mtimeNanoseconds: number;
  /** "0" file, "1" hard link, "2" symlink, "3" character, "4" block, "5" directory, "6" FIFO. */
  readonly typeflag: string;
  /** Kind of the entry. */
  readonly type: TarEntryType;
  /** Target of a link; "" for others. */
  readonly linkname: string;
  /** Target of a symlink that is not UTF-8, else null. */
  readonly linkBytes: Uint8Array | null;
  /** Octal digits, as in the header of a device; "" for others. */
  readonly devmajor: string;
  /** Octal digits likewise. */
  readonly devminor: string;
  /** Extended attributes by full name; null where there are none. */
  readonly xattrs: ReadonlyMap<string, Uint8Array> | null;
}

/** One entry of an archive. */
export interface TarStreamEntry {
  /**
   * Relative to the root, without "." and empty components and with ".." resolved; "" is the root.
   * Components that are not UTF-8 are tokens: `rawPath` has the bytes.
   */
  path: string;
  /** The bytes of a path that is not UTF-8, else null. */
  rawPath: Uint8Array | null;
  /** Its header. */
  header: TarStreamHeader;
  /** The content of a file: to be read to its end, or cancelled, before the next entry comes. */
  readable?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Bytes scanned at a time: what is buffered of a file that is read slowly. */
const PART_SIZE = 64 * 1024;

/**
 * Turns the bytes of a tar archive into its entries, one at a time. An archive that is wrong or
 * truncated fails the stream with a {@linkcode LayerfsError} `image-invalid`, after the entries
 * before the fault.
 */
export class UntarStream implements TransformStream<Uint8Array, TarStreamEntry> {
  readonly #readable: ReadableStream<TarStreamEntry>;
  readonly #writable: WritableStream<Uint8Array>;

  constructor() {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#writable = writable;
    this.#readable = ReadableStream.from(entries(new EventReader(readable)));
  }

  /** The entries. */
  get readable(): ReadableStream<TarStreamEntry> {
    return this.#readable;
  }

  /** Takes the archive, in pieces of any size. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable;
  }
}

/** What the scanner has found, in order. */
type Event =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "data"; readonly bytes: Uint8Array<ArrayBuffer>; readonly offset: number }
  | { readonly kind: "end" };

/** Pulls bytes through the scanner, part by part. */
class EventReader {
  readonly scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #events: Event[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  #over = false;
  /** Why the archive cannot be read on: everyone who asks is told. */
  #failure: { readonly error: unknown } | null = null;

  readonly #visitor = {
    entry: (entry: TarEntry) => void this.#events.push({ kind: "entry", entry }),
    // The scanner's view is of memory that the next part overwrites.
    data: (bytes: Uint8Array, offset: number) =>
      void this.#events.push({ kind: "data", bytes: bytes.slice(), offset }),
    end: () => void this.#events.push({ kind: "end" }),
  };

  constructor(archive: ReadableStream<Uint8Array>) {
    this.#reader = archive.getReader();
  }

  /** The next event; undefined at the end of the archive. */
  async next(): Promise<Event | undefined> {
    while (this.#events.length === 0 && !this.#over) {
      if (this.#failure !== null) throw this.#failure.error;
      try {
        await this.#advance();
      } catch (error) {
        // What stands before the fault comes first.
        this.#failure = { error };
      }
    }
    return this.#events.shift();
  }

  /** Tells the writer that nothing more is wanted. */
  async cancel(reason: unknown): Promise<void> {
    this.#over = true;
    await this.#reader.cancel(reason);
  }

  async #advance(): Promise<void> {
    if (this.#chunk.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) {
        this.scanner.end(this.#visitor);
        this.#over = true;
        return;
      }
      this.#chunk = value;
    }
    const part = this.#chunk.subarray(0, PART_SIZE);
    this.#chunk = this.#chunk.subarray(part.length);
    this.scanner.window.set(part);
    this.scanner.feed(part.length, this.#visitor);
  }
}

async function* entries(events: EventReader): AsyncGenerator<TarStreamEntry> {
  let complete = false;
  let reason: unknown = "the entries are no longer wanted";
  try {
    for (let event = await events.next(); event !== undefined; event = await events.next()) {
      // The rest of a file that was cancelled.
      if (event.kind !== "entry") continue;
      const { entry } = event;
      const { rawNames } = events.scanner;
      const shown = {
        path: entry.path,
        rawPath: hasRawName(entry.path) ? decodeName(entry.path, rawNames) ?? null : null,
        header: headerOf(entry),
      };
      if (entry.type === "file") {
        const { promise: released, resolve: release } = Promise.withResolvers<void>();
        yield { ...shown, readable: fileStream(entry, events, release) };
        await released;
      } else {
        yield shown;
      }
    }
    complete = true;
  } catch (error) {
    reason = error;
    throw error;
  } finally {
    if (!complete) await events.cancel(reason);
  }
}

/** The content of a file; `release` is called when nothing more of it will be taken. */
function fileStream(
  { path, size }: TarEntry,
  events: EventReader,
  release: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = 0;
  let data: Extract<Event, { kind: "data" }> | null = null;
  let over = false;
  let pulling: Promise<void> = Promise.resolve();

  /** The next bytes; null at the end of the file. */
  const take = async (): Promise<Uint8Array<ArrayBuffer> | null> => {
    if (data === null && !over) {
      const event = await events.next();
      if (event?.kind === "data") data = event;
      else if (event?.kind === "end") over = true;
      else throw new TypeError(`Cannot read "${path}": the archive was closed`);
    }
    const hole = (data === null ? size : data.offset) - position;
    const bytes = hole > 0 ? new Uint8Array(Math.min(hole, PART_SIZE)) : data?.bytes ?? null;
    if (hole <= 0) data = null;
    position += bytes?.length ?? 0;
    return bytes;
  };

  const pull = async (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
    try {
      const bytes = await take();
      if (bytes !== null) return controller.enqueue(bytes);
      controller.close();
      release();
    } catch (error) {
      release();
      throw error;
    }
  };

  return new ReadableStream({
    pull: (controller) => pulling = pull(controller),
    async cancel() {
      // Two readers of the events at a time would each get half of them.
      await Promise.allSettled([pulling]);
      release();
    },
  }, { highWaterMark: 0 });
}

function headerOf(entry: TarEntry): TarStreamHeader {
  const { type, path, mode, uid, gid, size, mtime, major, minor } = entry;
  const device = type === "character" || type === "block";
  return {
    name: path,
    prefix: "",
    mode,
    uid,
    gid,
    size,
    mtime: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    typeflag: TYPE_FLAGS[type],
    type,
    linkname: entry.linkPath,
    linkBytes: entry.linkBytes,
    devmajor: device ? major.toString(8) : "",
    devminor: device ? minor.toString(8) : "",
    xattrs: entry.xattrs,
  };
}
