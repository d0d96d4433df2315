/**
 * The last part of a layer's way: its tar stream is scanned, and its entries are shown.
 *
 * @module
 */

import { WINDOW_SIZE } from "../core/instance.ts";
import { TarScanner, type TarVisitor } from "../core/tar_scanner.ts";

/** Bytes of a tar stream that are scanned at a time, at most. */
export const PIECE_BYTES = WINDOW_SIZE;

/** Who receives a layer. */
export interface LayerVisitor extends TarVisitor {
  /** Takes each piece of the stream, once its entries and contents have been shown. */
  fed?(window: Uint8Array): void;
  /** The stream has come to its end. */
  finish?(): void;
  /** Frees what an error has left open. */
  close(): void;
}

/**
 * Shows all entries of a stream to a visitor, piece by piece. Their digest is somebody else's affair.
 * Close it.
 */
export class LayerScan {
  readonly #scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  readonly #visitor: LayerVisitor;

  /** @param visit makes the visitor */
  constructor(visit: (scanner: TarScanner) => LayerVisitor) {
    this.#visitor = visit(this.#scanner);
  }

  /**
   * @param piece at most {@linkcode PIECE_BYTES}
   * @throws {LayerfsError} `image-invalid` for what is no tar stream, or what the visitor throws
   */
  feed(piece: Uint8Array): void {
    const { length } = piece;
    this.#scanner.window.set(piece);
    this.#scanner.feed(length, this.#visitor);
    this.#visitor.fed?.(this.#scanner.window.subarray(0, length));
  }

  /** Ends the stream. @throws as {@linkcode feed} */
  end(): void {
    this.#scanner.end(this.#visitor);
    this.#visitor.finish?.();
  }

  /** Frees what an error has left open. */
  close(): void {
    this.#visitor.close();
  }
}
