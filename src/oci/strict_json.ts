/**
 * JSON as I-JSON (RFC 7493) has it: UTF-8 without a byte order mark, no duplicate names, no lone
 * surrogates; and with caps on size and depth, so that no document can exhaust memory or stack.
 *
 * @example
 * ```ts
 * import { parseJson } from "./strict_json.ts";
 *
 * const value = parseJson(new TextEncoder().encode('{"schemaVersion": 2}'), "manifest");
 * console.assert(JSON.stringify(value) === '{"schemaVersion":2}');
 * ```
 *
 * @module
 */

import { LayerfsError, printable } from "../errors.ts";
import { MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH } from "../limits.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Parses a JSON document.
 *
 * @param what the document, as messages name it, such as "manifest"
 * @returns objects, arrays, strings, numbers, booleans and null, nested to MAX_JSON_DEPTH at most
 * @throws {LayerfsError} `image-invalid`, with the place where there is one
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw unreadable(what, `it has ${bytes.length} bytes, more than ${MAX_DOCUMENT_BYTES}`);
  }
  const text = decode(bytes, what);
  const names = countNames(text, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 says what it expected and quotes some of the text, as it is.
    throw unreadable(what, `it is not JSON: ${printable((error as SyntaxError).message)}`);
  }
  // JSON.parse keeps the last of several equal names, so fewer names mean duplicates. Their place
  // is looked for only then.
  if (countKept(value) !== names) {
    throw unreadable(what, `the name ${findDuplicate(text)} stands twice in one object`);
  }
  // The text is well-formed Unicode: only an escape can bring in a surrogate.
  if (/\\u[dD][89a-fA-F]/.test(text)) rejectLoneSurrogates(value, what, "");
  return value;
}

function decode(bytes: Uint8Array, what: string): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw unreadable(what, "it starts with a byte order mark, which JSON does not have");
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw unreadable(what, "it is not UTF-8");
  }
}

/**
 * Names in the objects of a JSON text, duplicates included: colons outside of strings. Text that
 * is not JSON gives some number. Depth is checked here, before anything is built from the text.
 */
function countNames(text: string, what: string): number {
  let names = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      i = stringEnd(text, i);
    } else if (char === COLON) {
      names++;
    } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      if (++depth > MAX_JSON_DEPTH) {
        throw unreadable(what, `it is nested deeper than ${MAX_JSON_DEPTH} levels`);
      }
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      depth--;
    }
  }
  return names;
}

/** Index of the quote that ends the string begun at `start`; the text's length if none does. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/** Names in all objects of a parsed value. */
function countKept(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const members = Object.values(value);
  let names = Array.isArray(value) ? 0 : members.length;
  for (const member of members) names += countKept(member);
  return names;
}

/** Throws at a string that UTF-8 cannot carry (RFC 7493, section 2.1). */
function rejectLoneSurrogates(value: unknown, what: string, path: string): void {
  if (typeof value === "string" && !value.isWellFormed()) {
    throw unreadable(what, `${path || "it"} is ${quote(value)}, which has a lone surrogate`);
  }
  if (value === null || typeof value !== "object") return;
  for (const [name, member] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${name}]` : joinPath(path, name);
    if (!name.isWellFormed()) throw unreadable(what, `the name ${place} has a lone surrogate`);
    rejectLoneSurrogates(member, what, place);
  }
}

/** One open array or object: the names seen, or the index reached. */
interface Level {
  readonly path: string;
  readonly names: Set<string> | null;
  index: number;
  /** Path of the member that is being read. */
  member: string;
}

/** The path, quoted, of the first duplicate name of a well-formed text. */
function findDuplicate(text: string): string {
  const levels: Level[] = [{ path: "", names: null, index: 0, member: "" }];
  let string = "";
  for (let i = 0; i < text.length; i++) {
    const level = levels.at(-1)!;
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      const end = stringEnd(text, i);
      string = text.slice(i, end + 1);
      i = end;
    } else if (char === COLON) {
      const name = JSON.parse(string) as string;
      level.member = joinPath(level.path, name);
      if (level.names?.has(name)) break;
      level.names?.add(name);
    } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      const path = level.names === null && levels.length > 1
        ? `${level.path}[${level.index}]`
        : level.member;
      const names = char === OPEN_BRACE ? new Set<string>() : null;
      levels.push({ path, names, index: 0, member: "" });
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      levels.pop();
    } else if (text[i] === ",") {
      level.index++;
    }
  }
  return quote(levels.at(-1)!.member);
}

/** The JSON path of a member: `a.b`, or `a["b.c"]` where the name is no plain word. */
export function joinPath(path: string, name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `${path}[${quote(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

/** Characters of a value that a message shows. */
const QUOTE_LENGTH = 100;

/** A value as messages show it: JSON, shortened, and printable. */
export function quote(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return printable(json.length > QUOTE_LENGTH ? `${json.slice(0, QUOTE_LENGTH)}…` : json);
}

function unreadable(what: string, state: string): LayerfsError {
  return new LayerfsError("image-invalid", `Cannot read ${what}: ${state}`, { document: what });
}
