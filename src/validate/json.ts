/**
 * Points 58 to 60: the JSON of every document, and its annotations.
 *
 * @module
 */

import { isObject } from "../oci/fields.ts";
import { joinPath, parseJson, quote } from "../oci/strict_json.ts";
import { type Report, stateOf } from "./report.ts";

/** A JSON document, or a part of one. */
export interface Part {
  /** The document, as rows name it: "index.json", or a kind and the beginning of a digest. */
  readonly document: string;
  /** JSON path in it; "" for the whole. */
  readonly path: string;
  readonly value: unknown;
}

/** Where a part is, for rows. */
export function placeOf({ document, path }: Part): string {
  return path === "" ? document : `${document} ${path}`;
}

/** A member of a part; `undefined` as its value where it is not there. */
export function memberOf(part: Part, name: string): Part {
  const { document, path, value } = part;
  const member = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return { document, path: joinPath(path, name), value: member };
}

/** The elements of a part; none where it is no array. */
export function elementsOf({ document, path, value }: Part): Part[] {
  if (!Array.isArray(value)) return [];
  return value.map((element, i) => ({ document, path: `${path}[${i}]`, value: element }));
}

/** Whether a value counts as absent, as null does for every optional member. */
export function isAbsent({ value }: Part): boolean {
  return value === undefined || value === null;
}

/** A value as rows show it. */
export function shown({ value }: Part): string {
  return value === undefined ? "missing" : quote(value);
}

/**
 * Point 60: reads a document.
 *
 * @returns its value; where it breaks the strict rules but is JSON by lax ones, what those give, so
 * that the rest can be looked at; null where it is not JSON
 */
export function readJson(report: Report, document: string, bytes: Uint8Array): Part | null {
  report.looked(60, "documents");
  try {
    return { document, path: "", value: parseJson(bytes, document) };
  } catch (error) {
    report.broken(60, document, stateOf(error));
  }
  try {
    // Bytes that are not UTF-8 become U+FFFD, a byte order mark goes.
    return { document, path: "", value: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch {
    return null;
  }
}

/** Points 58 and 59: the annotations (or labels) of `part`, under `name`. */
export function checkAnnotations(
  report: Report,
  part: Part,
  name: "annotations" | "Labels",
): void {
  const map = memberOf(part, name);
  // "If there are no annotations then this property MUST either be absent or be an empty map"
  // (annotations.md); in a config, null is as good as absent.
  if (map.value === undefined || (map.value === null && name === "Labels")) return;
  if (!isObject(map.value)) {
    report.broken(58, placeOf(map), `${shown(map)} is not an object`);
    return;
  }
  for (const key of Object.keys(map.value)) {
    report.looked(58, "annotations and labels");
    report.looked(59, "keys");
    const value = memberOf(map, key);
    if (typeof value.value !== "string") {
      report.broken(58, placeOf(value), `${shown(value)} is not a string`);
    }
  }
}
