/**
 * Documents for the parser tests, and one way to say what must be refused.
 *
 * @module
 */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ErrorCode, LayerfsError } from "../../src/errors.ts";

/** A JSON object that a test changes at will. */
export type Json = Record<string, unknown>;

/** sha256 of `{}` (image-spec manifest.md, "Guidance for an Empty Descriptor"). */
export const EMPTY_DIGEST =
  "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/** UTF-8 of a text, or of the JSON of a value. */
export function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

/** A descriptor of `{}`. */
export function descriptor(mediaType: string, more: Json = {}): Json {
  return { mediaType, digest: EMPTY_DIGEST, size: 2, ...more };
}

/** A valid manifest of `layers` layers. */
export function manifest(more: Json = {}, layers = 1): Json {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json"),
    layers: Array.from(
      { length: layers },
      () => descriptor("application/vnd.oci.image.layer.v1.tar+gzip"),
    ),
    ...more,
  };
}

/** A valid index of one manifest. */
export function index(more: Json = {}): Json {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [descriptor("application/vnd.oci.image.manifest.v1+json")],
    ...more,
  };
}

/** A valid config of one layer. */
export function config(more: Json = {}, run: Json = {}): Json {
  return {
    architecture: "amd64",
    os: "linux",
    config: run,
    rootfs: { type: "layers", diff_ids: [EMPTY_DIGEST] },
    ...more,
  };
}

/** Something that must be refused: its name, what does it, and parts of the message. */
export type Rejection = readonly [name: string, attempt: () => unknown, ...message: string[]];

/** One test for each rejection, all with the same error code. */
export function testRejections(
  what: string,
  code: ErrorCode,
  rejections: readonly Rejection[],
): void {
  for (const [name, attempt, ...message] of rejections) {
    Deno.test(`${what} is refused: ${name}`, () => {
      const error = assertThrows(attempt, LayerfsError);
      for (const part of message) assertStringIncludes(error.message, part);
      assertEquals(error.code, code);
    });
  }
}
