/**
 * Parts of the work that nobody who unpacks an image can leave out, each alone and on one core, in a
 * process of its own; bench/peers.ts times them.
 *
 *     limit.ts inflate FILE...     decompresses gzip files into memory that is used again
 *     limit.ts hash FILE...        computes the SHA-256 of files by node:crypto
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createDecompressor } from "../src/blob/decompress.ts";

const PIECE = 1 << 20;

/** The pieces of a file, each valid until the next one is asked for. */
function* pieces(path: string): Generator<Uint8Array> {
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(PIECE);
  for (let n = file.readSync(buffer); n !== null; n = file.readSync(buffer)) {
    yield buffer.subarray(0, n);
  }
}

function inflate(path: string): void {
  const decompressor = createDecompressor("gzip");
  const output = new Uint8Array(PIECE);
  for (const piece of pieces(path)) {
    let offset = 0;
    let isFull: boolean;
    do {
      const { consumed, produced } = decompressor.write(piece, offset, output);
      offset += consumed;
      isFull = produced === output.length;
    } while (isFull || offset < piece.length);
  }
  decompressor.end();
  decompressor.close();
}

function hash(path: string): void {
  const digest = createHash("sha256");
  for (const piece of pieces(path)) digest.update(piece);
  digest.digest();
}

const [part, ...files] = Deno.args;
const work = part === "inflate" ? inflate : part === "hash" ? hash : undefined;
if (work === undefined || files.length === 0) {
  throw new Error("usage: limit.ts inflate|hash FILE...");
}
files.forEach(work);
