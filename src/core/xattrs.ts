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
 * Names: GNU tar writes "%" as %25 and "=" as %3D in SCHILY records. libarchive writes every
 * attribute twice, and url-encodes the name in both: its SCHILY record then is left out.
 *
 * @throws {LayerfsError} image-invalid, when a LIBARCHIVE value is not base64 or a name is not UTF-8
 */
export function unpackXattrs(
  packed: Uint8Array,
  into: Map<string, Uint8Array>,
  entry: { readonly path: string; readonly headerOffset: number },
): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const twice = new Set<string>();
  for (let at = 0; at < packed.length;) {
    const kind = view.getUint32(at, true);
    const nameEnd = at + 8 + ((kind & ~LIBARCHIVE) >>> 0);
    const end = nameEnd + view.getUint32(at + 4, true);
    const encoded = decodeUtf8(packed.subarray(at + 8, nameEnd)) ?? "\0";
    const bytes = packed.subarray(nameEnd, end);
    at = end;
    const libarchive = (kind & LIBARCHIVE) !== 0;
    if (!libarchive && twice.has(encoded)) continue;
    const name = libarchive
      ? decodeUrl(encoded)
      : encoded.replace(/%25|%3D/g, (code) => code === "%25" ? "%" : "=");
    const value = libarchive ? decodeBase64(bytes) : bytes.slice();
    if (!name || name.includes("\0") || !value) {
      throw malformed(entry, encoded);
    }
    if (libarchive && name !== encoded) {
      twice.add(encoded);
      into.delete(encoded);
    }
    if (value.length === 0 && into.has(name)) into.delete(name);
    else into.set(name, value);
  }
}

function malformed(
  { path, headerOffset }: { readonly path: string; readonly headerOffset: number },
  name: string,
): LayerfsError {
  const place = `${JSON.stringify(path)} at byte ${headerOffset}`;
  return new LayerfsError(
    "image-invalid",
    `Cannot read tar entry ${place}: extended attribute ${JSON.stringify(name)} is malformed`,
    { entry: path, headerOffset },
  );
}

function decodeBase64(bytes: Uint8Array): Uint8Array | undefined {
  try {
    // libarchive writes no padding; others do.
    return Uint8Array.fromBase64(decodeUtf8(bytes) ?? "\0", { lastChunkHandling: "loose" });
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function decodeUrl(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
