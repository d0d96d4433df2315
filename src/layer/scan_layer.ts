/**
 * The last part of a layer's way: its tar stream is scanned, and its entries are shown.
 *
 * @module
 */

import { WINDOW_SIZE } from "../core/instance.ts";
import { TarScanner, type TarVisitor } from "../core/tar_scanner.ts";
import type { StreamEnd } from "./ring.ts";

/** Who receives a layer. */
export interface LayerVisitor extends TarVisitor {
  /** Takes each piece of the stream, once its entries and contents have been shown. */
  fed?(window: Uint8Array): void;
  /** Frees what an error has left open. */
  close(): void;
}

/** A tar stream, as {@linkcode RingReader} reads it. */
export interface TarStreamSource {
  next(most: number): Uint8Array;
  take(length: number): void;
  readonly outcome: StreamEnd;
}

/** Thrown where the stream did not come to its end: whoever writes it says why. */
export class StreamBroken extends Error {}

/**
 * Shows all entries of a stream to the visitor that `visit` makes. Their digest is somebody else's
 * affair.
 *
 * @throws {LayerfsError} `image-invalid` for what is no tar stream, or what the visitor throws
 * @throws {StreamBroken} where the stream is cut short
 */
export function scanLayer(
  stream: TarStreamSource,
  visit: (scanner: TarScanner) => LayerVisitor,
): void {
  const scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  const visitor = visit(scanner);
  try {
    for (let piece = stream.next(WINDOW_SIZE); piece.length > 0; piece = stream.next(WINDOW_SIZE)) {
      const { length } = piece;
      scanner.window.set(piece);
      stream.take(length);
      scanner.feed(length, visitor);
      visitor.fed?.(scanner.window.subarray(0, length));
    }
    if (stream.outcome !== "ended") throw new StreamBroken();
    scanner.end(visitor);
  } finally {
    visitor.close();
  }
}
