/**
 * What a file that should hold a tar archive is, by its first bytes.
 *
 * @module
 */

import { TarScanner } from "../core/tar_scanner.ts";
import { LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import { BLOCK_SIZE } from "../tar/ustar_block.ts";

/** A tar archive, or what it is compressed with; "unknown" is none of these. */
export type FileFormat = "tar" | "gzip" | "zstd" | "xz" | "bzip2" | "lz4" | "unknown";

/** First bytes of each compressed format, in hex. */
const MAGIC: readonly (readonly [FileFormat, RegExp])[] = [
  ["gzip", /^1f8b/],
  // Frames, and the skippable frames that pzstd puts first (RFC 8878, section 3.1.2).
  ["zstd", /^(28b52ffd|5[0-9a-f]2a4d18)/],
  ["xz", /^fd377a585a00/],
  ["bzip2", /^425a68/],
  ["lz4", /^04224d18/],
];

/** How each format is turned into a tar archive; the original stays. */
const COMMANDS: Readonly<Record<string, string>> = {
  gzip: "gunzip --keep",
  zstd: "zstd --decompress",
  xz: "unxz --keep",
  bzip2: "bunzip2 --keep",
  lz4: "unlz4 --keep",
};

/** The format of an open file. An empty file is an empty archive, as it is for tar(1). */
export function fileFormat(file: Deno.FsFile): FileFormat {
  const block = new Uint8Array(BLOCK_SIZE);
  const head = block.subarray(0, readAt(file, block, 0));
  const hex = head.subarray(0, 8).toHex();
  // First, because a member may have any name, the magic of another format included.
  if (head.length === 0 || isTar(head)) return "tar";
  return MAGIC.find(([, pattern]) => pattern.test(hex))?.[0] ?? "unknown";
}

/** What to do about a file of another format than wanted, in words that follow a state. */
export function formatAdvice(format: FileFormat, path: string): string {
  const command = COMMANDS[format];
  if (command === undefined) return "it is not a tar archive";
  return `it is compressed with ${format}; decompress it first: ${command} "${path}"`;
}

/** Whether the scanner, our only tar parser, takes the first block. */
function isTar(head: Uint8Array): boolean {
  const scanner = new TarScanner({ algorithm: null, engine: "wasm" });
  scanner.window.set(head);
  try {
    scanner.feed(head.length, { entry() {}, data() {}, end() {} });
    return head.length === BLOCK_SIZE;
  } catch (error) {
    if (error instanceof LayerfsError) return false;
    throw error;
  }
}
