/**
 * What the tests of sources share.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type BlobContent, isLocation } from "../../src/blob/content.ts";
import { type ErrorCode, LayerfsError } from "../../src/errors.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { digestOf } from "../fixtures/image.ts";

/** Runs a test with a directory that is removed after it. */
export async function withDirectory(test: (dir: string) => unknown): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Asserts an error's code and every part of its message. */
export async function refuses(
  action: () => unknown,
  code: ErrorCode,
  ...parts: string[]
): Promise<LayerfsError> {
  const error = await assertRejects(() => Promise.try(action), LayerfsError);
  for (const part of parts) assertStringIncludes(error.message, part);
  assertEquals(error.code, code, error.message);
  return error;
}

/** A descriptor of `bytes`, as the caller changes it. */
export function descriptorOf(bytes: Uint8Array, more: Partial<Descriptor> = {}): Descriptor {
  const digest = parseDigest(digestOf(bytes));
  return { mediaType: OCI_MANIFEST, digest, size: bytes.length, ...more };
}

/** The bytes of a location, read without the code under test. */
export function readLocation(
  location: BlobContent | null,
): Uint8Array {
  if (location === null || !isLocation(location)) throw new TypeError("no file was located");
  using file = Deno.openSync(location.path);
  file.seekSync(location.offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(location.length);
  let read = 0;
  while (read < bytes.length) {
    const count = file.readSync(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  return bytes.subarray(0, read);
}
