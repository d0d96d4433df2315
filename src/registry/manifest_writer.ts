/**
 * Manifests and indexes to a registry (distribution-spec, "Pushing Manifests").
 *
 * @module
 */

import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { type Digest, digestAlgorithm, digestProblem } from "../oci/digest.ts";
import { quote } from "../oci/strict_json.ts";
import type { Connection } from "./connection.ts";
import { announcedDigest } from "./manifest_reader.ts";

/** What a registry says of a manifest that it has taken. */
export interface PutManifest {
  /** Of the bytes. */
  readonly digest: Digest;
  /**
   * Whether the registry lists the manifest as a referrer of its subject by itself (OCI-Subject);
   * false where it has no subject, too.
   */
  readonly subjectListed: boolean;
}

/**
 * Writes a manifest or index.
 *
 * @param reference a tag, or the digest of `bytes`
 * @throws {LayerfsError} `digest-mismatch` where `reference` is another digest, and as
 * `Connection.request`
 */
export async function writeManifest(
  connection: Connection,
  reference: string,
  bytes: Uint8Array<ArrayBuffer>,
  mediaType: string,
  signal?: AbortSignal,
): Promise<PutManifest> {
  const action = `Cannot write manifest ${quote(reference)}`;
  const asked = digestProblem(reference) === null ? reference as Digest : null;
  const digest = digestBytes(bytes, asked === null ? "sha256" : digestAlgorithm(asked));
  if (asked !== null && asked !== digest) {
    throw new LayerfsError("digest-mismatch", `${action}: its digest is "${digest}"`, {
      digest: asked,
      found: digest,
    });
  }
  const request = {
    action,
    method: "PUT",
    target: connection.path(`manifests/${reference}`),
    headers: { "content-type": mediaType },
    body: () => bytes,
    access: "push",
    accept: [200, 201],
    ...(signal ? { signal } : {}),
  } as const;
  const reply = await connection.request(request);
  await reply.discard();
  const taken = announcedDigest(reply);
  if (taken !== null && digestBytes(bytes, digestAlgorithm(taken)) !== taken) {
    throw connection.invalid(request, reply, `the registry has taken it as "${taken}"`);
  }
  return { digest, subjectListed: reply.header("oci-subject") !== null };
}
