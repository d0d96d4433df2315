/**
 * The last part of a layer's way: its tar stream is scanned, and its entries are shown.
 *
 * @module
 */

import { WINDOW_SIZE } from "../core/instance.ts";
import { TarScanner, type TarVisitor } from "../core/tar_scanner.ts";

/** Bytes of a tar stream that are scanned at a time, at most. */
export const PIECE_BYTES = WINDOW_SIZE;

/**
 * Bytes of a file's contents from which on they are not copied into the module's memory. Everything else
 * is, so many bytes at a time, as large contents may be next.
 */
const DIRECT_BYTES = 64 * 1024;

/** Who receives a layer. */
export interface LayerVisitor extends TarVisitor {
  /**
   * Takes each piece of the stream, as it lies in the module's memory, once its entries and contents
   * have been shown. Without it, contents may lie elsewhere.
   */
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
    const scanner = this.#scanner;
    if (this.#visitor.fed !== undefined) {
      this.#put(piece);
      return this.#visitor.fed(scanner.window.subarray(0, piece.length));
    }
    for (let at = 0; at < piece.length;) {
      const { length, offset } = scanner.contents();
      const part = piece.subarray(at, at + Math.max(length, DIRECT_BYTES));
      if (length >= DIRECT_BYTES) {
        this.#visitor.data(part, offset);
        scanner.skip(part.length);
      } else this.#put(part);
      at += part.length;
    }
  }

  /** Scans a piece by way of the module's memory. */
  #put(piece: Uint8Array): void {
    this.#scanner.window.set(piece);
    this.#scanner.feed(piece.length, this.#visitor);
  }

  /** Ends the stream. @throws as {@linkcode feed} */
  end(): void {
    this.#scanner.end(this.#visitor);
    this.#visitor.finish?.();
  }

  /** Frees what an error has left open. */
  close(): void {
    this.#visitor.close();
    this.#scanner.close();
  }
}
