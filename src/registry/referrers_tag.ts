/**
 * The tag under which referrers stand in a registry that does not list them by itself: an index,
 * which clients write (distribution-spec, "Referrers Tag Schema").
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { algorithmName, type Digest, digestHex } from "../oci/digest.ts";
import { parseIndex } from "../oci/image_index.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import { parseJson } from "../oci/strict_json.ts";
import type { Connection } from "./connection.ts";
import { readManifest } from "./manifest_reader.ts";
import { writeManifest } from "./manifest_writer.ts";

/**
 * The referrers that the tag lists; none where there is no such tag.
 *
 * @throws {LayerfsError} `image-invalid` for what is no index, and as `Connection.request`
 */
export async function readTaggedReferrers(
  connection: Connection,
  subject: Digest,
  signal?: AbortSignal,
): Promise<readonly Descriptor[]> {
  const bytes = await readTag(connection, subject, signal);
  return bytes === null ? [] : parseIndex(bytes, OCI_INDEX).manifests;
}

/**
 * Adds a referrer to those that the tag lists, unless it is there. What others have written into the
 * index stays; who writes it at the same moment may be lost, as registries have no lock for it.
 *
 * @throws {LayerfsError} as {@linkcode readTaggedReferrers}, `unsupported` where the index would be
 * too long
 */
export async function addTaggedReferrer(
  connection: Connection,
  subject: Digest,
  referrer: Descriptor,
  signal?: AbortSignal,
): Promise<void> {
  const old = await readTag(connection, subject, signal) ?? EMPTY;
  if (parseIndex(old, OCI_INDEX).manifests.some(({ digest }) => digest === referrer.digest)) return;
  const json = parseJson(old, "index") as { readonly manifests: readonly unknown[] };
  const text = JSON.stringify({ ...json, manifests: [...json.manifests, referrer] });
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw new LayerfsError(
      "unsupported",
      `Cannot list ${referrer.digest} as a referrer of ${subject}: the index of them would have ` +
        `more than ${MAX_DOCUMENT_BYTES} bytes`,
      { digest: subject },
    );
  }
  await writeManifest(connection, referrersTag(subject), bytes, OCI_INDEX, signal);
}

const EMPTY = new TextEncoder().encode(
  JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }),
);

async function readTag(
  connection: Connection,
  subject: Digest,
  signal?: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return (await readManifest(connection, referrersTag(subject), [OCI_INDEX], signal)).bytes;
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "not-found") return null;
    throw error;
  }
}

/** A digest as a tag, which has at most 128 characters of a smaller alphabet. */
function referrersTag(subject: Digest): string {
  const algorithm = algorithmName(subject).slice(0, 32);
  return `${algorithm}-${digestHex(subject).slice(0, 64)}`.replace(/[^\w.-]/g, "-");
}
