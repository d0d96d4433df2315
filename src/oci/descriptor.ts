/**
 * Descriptors: the typed, sized, digested references that hold an image together (image-spec
 * descriptor.md).
 *
 * @module
 */

import { type Digest, digestProblem } from "./digest.ts";
import type { Fields } from "./fields.ts";
import { mediaTypeProblem } from "./media_type.ts";
import { type Platform, readPlatform } from "./platform.ts";

/** The annotation by which descriptors in index.json carry a tag (annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";

/** A reference to content. */
export interface Descriptor {
  /** By RFC 6838; it may be one that layerfs does not know. */
  readonly mediaType: string;
  /** Of a known algorithm or not: see `isSupported`. */
  readonly digest: Digest;
  /** Bytes of the content, from 0 to 2^53 - 1. */
  readonly size: number;
  /** Where else the content may be had; not checked. */
  readonly urls?: readonly string[];
  /** Arbitrary metadata. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself, NOT verified: whoever uses it checks size and digest first. */
  readonly data?: Uint8Array;
  /** What the image that this points at runs on. */
  readonly platform?: Platform;
  /** Type of the artifact that this points at. */
  readonly artifactType?: string;
}

/**
 * Reads a descriptor.
 *
 * @throws {LayerfsError} `image-invalid`, naming the member
 */
export function readDescriptor(fields: Fields): Descriptor {
  const annotations = fields.stringMap("annotations");
  const urls = fields.strings("urls");
  const platform = fields.object("platform");
  return {
    mediaType: fields.checked("mediaType", mediaTypeProblem),
    digest: fields.checked("digest", digestProblem) as Digest,
    size: fields.size("size"),
    ...(urls.length > 0 ? { urls } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(fields.has("data") ? { data: decodeData(fields) } : {}),
    ...(platform === undefined ? {} : { platform: readPlatform(platform) }),
    ...optionalMediaType(fields, "artifactType"),
  };
}

/** `{[name]: type}`, or `{}` where the member is absent or empty (Go writes "" at times). */
export function optionalMediaType<Name extends string>(
  fields: Fields,
  name: Name,
): { readonly [key in Name]?: string } {
  if (!fields.optionalString(name)) return {};
  // The cast only tells TypeScript that a computed key of one literal type is that key.
  return { [name]: fields.checked(name, mediaTypeProblem) } as { [key in Name]?: string };
}

function decodeData(fields: Fields): Uint8Array {
  // Empty content is "" in base64, which `checked` would take for a missing value.
  const text = fields.optionalString("data") ?? "";
  const expected = base64Problem(text);
  if (expected !== null) throw fields.error("data", expected);
  return Uint8Array.fromBase64(text);
}

/** What `value` should be if it is not base64 with padding (RFC 4648, section 4); null if it is. */
export function base64Problem(value: unknown): string | null {
  const expected = "base64 with padding (RFC 4648, section 4)";
  // The decoder skips white space, which section 3.3 tells to refuse.
  if (typeof value !== "string" || /[^A-Za-z0-9+/=]/.test(value)) return expected;
  try {
    Uint8Array.fromBase64(value, { lastChunkHandling: "strict" });
    return null;
  } catch {
    return expected;
  }
}
