/**
 * Extended attributes of a tar entry, as wasm/assembly/pax.ts packs them.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { decodeUtf8 } from "./raw_name.ts";

/** The topmost bit of a packed name's length: the record was LIBARCHIVE.xattr., not SCHILY.xattr. */
const LIBARCHIVE = 0x80000000;

/**
 * Adds packed attributes to `into`; later ones win. An empty value is an attribute of no bytes, as
 * GNU tar writes it, unless the name was set before: then it removes that (POSIX pax).
 *
 * @throws {LayerfsError} image-invalid, when a LIBARCHIVE value is not base64 or a name is not UTF-8
 */
export function unpackXattrs(
  packed: Uint8Array,
  into: Map<string, Uint8Array>,
  place: string,
): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = 0; at < packed.length;) {
    const kind = view.getUint32(at, true);
    const nameLength = (kind & ~LIBARCHIVE) >>> 0;
    const valueStart = at + 8 + nameLength;
    const next = valueStart + view.getUint32(at + 4, true);
    const rawName = packed.subarray(at + 8, valueStart);
    const rawValue = packed.subarray(valueStart, next);
    const encoded = (kind & LIBARCHIVE) !== 0;
    const name = decodeUtf8(encoded ? urlDecode(rawName) : rawName);
    const value = encoded ? base64Decode(rawValue) : rawValue.slice();
    if (name === undefined || name === "" || name.includes("\0") || value === undefined) {
      const found = JSON.stringify(String.fromCharCode(...rawName.subarray(0, 64)));
      throw new LayerfsError(
        "image-invalid",
        `Cannot read ${place}: the extended attribute ${found} is malformed`,
      );
    }
    if (value.length === 0 && into.has(name)) into.delete(name);
    else into.set(name, value);
    at = next;
  }
}

function base64Decode(bytes: Uint8Array): Uint8Array | undefined {
  try {
    // libarchive writes no padding; others do.
    return Uint8Array.fromBase64(String.fromCharCode(...bytes), { lastChunkHandling: "loose" });
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** "%41" becomes "A"; a "%" before anything else stands for itself. */
function urlDecode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 0x25
      ? String.fromCharCode(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0)
      : "";
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      out[length++] = parseInt(hex, 16);
      at += 2;
    } else out[length++] = bytes[at] ?? 0;
  }
  return out.subarray(0, length);
}
