/**
 * What a blob's bytes are read from: a file that is there, or a stream that brings them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { readPiece } from "../files.ts";
import { type BlobLocation, openRegularFile } from "./location.ts";

/** The bytes of a blob that is elsewhere, in a registry, say. */
export interface BlobStream {
  /** Bytes that there will be. */
  readonly length: number;
  /**
   * Brings them from the first on, in pieces of any size that are valid until the next one.
   *
   * The pieces have {@linkcode length} bytes together, or the iteration throws; their digest is not
   * verified. It may be called again, for all of them anew.
   */
  open(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Where the bytes have come from; undefined where none have come yet. */
  readonly origin?: () => BlobOrigin | undefined;
}

/** A repository of a registry. */
export interface BlobOrigin {
  /** Host and perhaps port; a mirror's where that has sent the bytes. */
  readonly registry: string;
  /** Its name there. */
  readonly repository: string;
}

/** Where the bytes of a blob are, or who brings them. */
export type BlobContent = BlobLocation | BlobStream;

/** Bytes read at once. */
const PIECE_BYTES = 1024 * 1024;

/** Pieces after which others get their turn: signals, progress. */
const PIECES_A_TURN = 8;

/** Whether the bytes are in a file, which can be read again, from anywhere, in a worker. */
export function isLocation(content: BlobContent): content is BlobLocation {
  return "path" in content;
}

/**
 * All bytes, in pieces that are valid until the next one.
 *
 * @param what names the blob in messages
 * @throws {LayerfsError} `size-mismatch` where there are fewer, `interrupted`, and what reading
 * throws
 */
export async function* readContent(
  content: BlobContent,
  what: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (isLocation(content)) return yield* readFile(content, what, signal);
  for await (const piece of content.open(signal)) {
    checkAborted(signal, what);
    yield piece;
  }
}

async function* readFile(
  { path, offset, length }: BlobLocation,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { file } = openRegularFile(path);
  try {
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, length));
    for (let position = 0, turn = 0; position < length; turn++) {
      if (turn % PIECES_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      checkAborted(signal, what);
      const wanted = Math.min(buffer.length, length - position);
      const count = readPiece(file, buffer.subarray(0, wanted), offset + position);
      if (count === 0) {
        throw new LayerfsError(
          "size-mismatch",
          `Cannot verify ${what}: "${path}" ends after ${position} of ${length} bytes`,
          { size: length, found: position },
        );
      }
      position += count;
      yield buffer.subarray(0, count);
    }
  } finally {
    file.close();
  }
}

/** @throws {LayerfsError} `interrupted` where the work is to end */
export function checkAborted(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  throw new LayerfsError("interrupted", `Cannot read ${what}: interrupted`);
}
