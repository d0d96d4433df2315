/**
 * Where layers are applied in tests, and how long that may take.
 *
 * @module
 */

import { assert } from "@std/assert";
import { gzipSync } from "node:zlib";
import { LayerfsError } from "../../src/errors.ts";
import type { LayerSource } from "../../src/layer/layer_source.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { digestOf } from "../fixtures/image.ts";
import { tarball } from "../fixtures/tar.ts";

/** Longer than any of these tests takes, and shorter than anybody waits. */
const PATIENCE_MS = 20_000;

export interface Place {
  readonly root: string;
  readonly scratch: string;
  /** For blobs in files. */
  readonly blobs: string;
}

/** Gives `use` an empty root, a scratch directory, and one for blobs. */
export async function withPlace(use: (place: Place) => Promise<void> | void): Promise<void> {
  const top = await Deno.makeTempDir({ prefix: "layerfs-pipeline-" });
  const place = { root: `${top}/root`, scratch: `${top}/scratch`, blobs: `${top}/blobs` };
  for (const directory of Object.values(place)) Deno.mkdirSync(directory);
  try {
    await use(place);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

/** A layer whose blob is a gzip file. */
export function layerOf(
  { blobs }: Place,
  members: readonly Uint8Array[],
  more: Partial<LayerSource> = {},
): LayerSource {
  const tar = tarball(members);
  const blob = gzipSync(tar, { level: 1 });
  const path = `${blobs}/${crypto.randomUUID()}`;
  Deno.writeFileSync(path, blob);
  return {
    digest: digestOf(blob) as Digest,
    diffId: digestOf(tar) as Digest,
    size: blob.length,
    content: { path, offset: 0, length: blob.length },
    ...more,
  };
}

/** Waits for `work`; fails where it has not come to its end after a while. */
export async function patiently(work: Promise<unknown>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TypeError("it hangs")), PATIENCE_MS);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What `work` throws; fails where it throws nothing. */
export async function errorOf(work: Promise<unknown>): Promise<LayerfsError> {
  try {
    await patiently(work);
  } catch (error) {
    assert(error instanceof LayerfsError, (error as Error).stack);
    return error;
  }
  throw new TypeError("nothing was thrown");
}
