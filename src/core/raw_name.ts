/**
 * Names that are not UTF-8.
 *
 * A name on Linux is any bytes but "/" and NUL; a path given to Deno is a string. Each component
 * of a path that is not valid UTF-8 therefore becomes a token, U+10FFFE (a noncharacter) and the
 * hex SHA-256 of its bytes, and a table keeps what the token stands for. A component that starts
 * with U+10FFFE by itself becomes a token as well, so that a token never means two names.
 *
 * @example
 * ```ts
 * import { decodeName, encodeName } from "./raw_name.ts";
 *
 * const table = new Map<string, Uint8Array>();
 * const bytes = Uint8Array.of(0x61, 0x2f, 0xff); // a/\xff
 * const name = encodeName(bytes, table); // "a/\u{10fffe}a8100ae6…"
 * decodeName(name, table); // the bytes again
 * ```
 *
 * @module
 */

import { createHash } from "node:crypto";

/** The first character of every token. */
export const TOKEN_MARK = "\u{10fffe}";

const SLASH = 0x2f;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Tokens and the bytes of the path component that each stands for. */
export type RawNames = Map<string, Uint8Array>;

/** Whether a path holds a component that cannot be given to Deno as it is. */
export function hasRawName(path: string): boolean {
  return path.includes(TOKEN_MARK);
}

/** The string form of a path; tokens that it needs are added to `table`. */
export function encodeName(bytes: Uint8Array, table: RawNames): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined && !text.includes(TOKEN_MARK)) return text;
  let path = "";
  for (let start = 0; start <= bytes.length;) {
    let end = bytes.indexOf(SLASH, start);
    if (end < 0) end = bytes.length;
    path += (start ? "/" : "") + encodeComponent(bytes.subarray(start, end), table);
    start = end + 1;
  }
  return path;
}

function encodeComponent(bytes: Uint8Array, table: RawNames): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined && !text.startsWith(TOKEN_MARK)) return text;
  const token = TOKEN_MARK + createHash("sha256").update(bytes).digest("hex");
  if (!table.has(token)) table.set(token, bytes.slice());
  return token;
}

/** The bytes of a path from {@linkcode encodeName}; undefined when a token is not in `table`. */
export function decodeName(path: string, table: ReadonlyMap<string, Uint8Array>):
  | Uint8Array
  | undefined {
  if (!hasRawName(path)) return encoder.encode(path);
  const parts: Uint8Array[] = [];
  for (const component of path.split("/")) {
    if (parts.length) parts.push(Uint8Array.of(SLASH));
    const raw = component.startsWith(TOKEN_MARK) ? table.get(component) : encoder.encode(component);
    if (!raw) return undefined;
    parts.push(raw);
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The text of bytes that are valid UTF-8, otherwise undefined. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
