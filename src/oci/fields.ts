/**
 * Reads the members of a parsed JSON object with their types checked. Every error names the place
 * as a JSON path and quotes the value found there.
 *
 * A member that is null counts as absent: image-spec says so of the config, and the Go programs
 * that write manifests put null for empty lists.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { joinPath, quote } from "./strict_json.ts";

/** Says what a value should be ("a digest …") if it is not that, null if it is. */
export type Check = (value: unknown) => string | null;

/** Whether `value` is a JSON object: neither null nor an array. */
export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One JSON object of a document, and its place in it. */
export class Fields {
  readonly #members: { readonly [name: string]: unknown };

  /**
   * @param document the document, as messages name it, such as "manifest"
   * @param path JSON path of `value` in it; "" for the whole
   * @throws {LayerfsError} `image-invalid` where `value` is no object
   */
  constructor(
    /** The document, as messages name it. */
    readonly document: string,
    /** JSON path of the object; "" for the whole. */
    readonly path: string,
    value: unknown,
  ) {
    if (!isObject(value)) throw invalid(document, path, value, "an object");
    this.#members = value;
  }

  /** The member as it is; undefined where it is absent or null. */
  value(name: string): unknown {
    return this.#members[name] ?? undefined;
  }

  /** Whether the object has the member, with a value other than null. */
  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  /** Whether the object has the member, be it null. */
  includes(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  /** A string that must be there and not be empty. */
  string(name: string): string {
    const value = this.value(name);
    if (typeof value !== "string") throw this.error(name, "a string");
    if (value === "") throw this.error(name, "a string of one character at least");
    return value;
  }

  /** A string that may be absent. */
  optionalString(name: string): string | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== "string") throw this.error(name, "a string");
    return value;
  }

  /** A string that must be there and pass `check`. */
  checked(name: string, check: Check): string {
    const value = this.string(name);
    const expected = check(value);
    if (expected !== null) throw this.error(name, expected);
    return value;
  }

  /** A whole number from 0 to 2^53 - 1, the largest that JavaScript holds exactly. */
  size(name: string): number {
    const value = this.value(name);
    if (!isSize(value)) throw this.error(name, SIZE);
    return value;
  }

  /** A whole number that may be absent. */
  optionalInteger(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value)) throw this.error(name, "a whole number below 2^53");
    return value as number;
  }

  /** A boolean; false where it is absent. */
  boolean(name: string): boolean {
    const value = this.value(name) ?? false;
    if (typeof value !== "boolean") throw this.error(name, "true or false");
    return value;
  }

  /** An array; empty where it is absent. */
  array(name: string): readonly unknown[] {
    const value = this.value(name) ?? [];
    if (!Array.isArray(value)) throw this.error(name, "an array");
    return value;
  }

  /** An array of strings; empty where it is absent. */
  strings(name: string): readonly string[] {
    const values = this.array(name);
    values.forEach((value, i) => {
      if (typeof value !== "string") {
        throw invalid(this.document, `${this.pathOf(name)}[${i}]`, value, "a string");
      }
    });
    return values as readonly string[];
  }

  /** A map of strings to strings (image-spec, annotations.md "Rules"); empty where absent. */
  stringMap(name: string): Readonly<Record<string, string>> {
    const map = this.object(name);
    if (map === undefined) return {};
    for (const [key, value] of Object.entries(map.#members)) {
      if (typeof value !== "string") throw map.error(key, "a string");
    }
    return map.#members as Readonly<Record<string, string>>;
  }

  /** The names of an object, in the document's order; none where it is absent. */
  names(name: string): readonly string[] {
    const map = this.object(name);
    return map === undefined ? [] : Object.keys(map.#members);
  }

  /** An object; undefined where it is absent. */
  object(name: string): Fields | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : new Fields(this.document, this.pathOf(name), value);
  }

  /** An object that must be there. */
  requiredObject(name: string): Fields {
    return new Fields(this.document, this.pathOf(name), this.value(name));
  }

  /** An array of objects; empty where it is absent. */
  objects(name: string): Fields[] {
    const path = this.pathOf(name);
    return this.array(name).map((value, i) => new Fields(this.document, `${path}[${i}]`, value));
  }

  /** JSON path of a member. */
  pathOf(name: string): string {
    return joinPath(this.path, name);
  }

  /** The error for a member that is not what it should be. */
  error(name: string, expected: string): LayerfsError {
    return invalid(this.document, this.pathOf(name), this.#members[name], expected);
  }
}

/** What {@linkcode isSize} asks for, in words. */
export const SIZE = "a whole number from 0 to 2^53 - 1";

/** Whether `value` can be the size of content, in bytes. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The error `Cannot read DOCUMENT: PATH is VALUE, not EXPECTED`. */
export function invalid(
  document: string,
  path: string,
  value: unknown,
  expected: string,
): LayerfsError {
  const state = value === undefined
    ? `${path || "it"} is missing; it must be ${expected}`
    : `${path || "it"} is ${quote(value)}, not ${expected}`;
  return new LayerfsError("image-invalid", `Cannot read ${document}: ${state}`, { document, path });
}
