/**
 * Manifests and indexes of a registry (distribution-spec, "Pulling manifests"). What is asked for by
 * digest has that digest; what is asked for by tag gets it here, from its bytes.
 *
 * @module
 */

import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestProblem, isSupported } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  isIndex,
  isManifest,
  mediaTypeProblem,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../oci/media_type.ts";
import { parseJson, quote } from "../oci/strict_json.ts";
import type { Connection } from "./connection.ts";
import type { Reply } from "./reply.ts";

/** The media types that are asked for, the best first. */
export const MANIFEST_TYPES: readonly string[] = [
  OCI_INDEX,
  DOCKER_INDEX,
  OCI_MANIFEST,
  DOCKER_MANIFEST,
];

/**
 * Refusals of a HEAD, which has no body to say why; the GET that follows has one. Some registries know
 * no HEAD here at all.
 */
const UNEXPLAINED: readonly number[] = [400, 401, 403, 405, 406, 500, 501, 502, 503, 504];

/** A manifest or index as a registry has it. */
export interface FetchedManifest {
  /** The document, unchanged; its digest is {@linkcode digest}. */
  readonly bytes: Uint8Array;
  /** What it is: as the registry says, else as the document says. */
  readonly mediaType: string;
  /** Computed from the bytes. */
  readonly digest: Digest;
}

/** What a tag stands for, as a registry says without sending it. */
export interface ResolvedTag {
  /** NOT verified: whatever is then fetched by it is. */
  readonly digest: Digest;
  /** As the registry says. */
  readonly mediaType: string;
}

/**
 * Reads a manifest or index.
 *
 * @param reference a tag or a digest
 * @throws {LayerfsError} `digest-mismatch`, `image-invalid` for one that is too long, and as
 * `Connection.request`
 */
export async function readManifest(
  connection: Connection,
  reference: string,
  accept: readonly string[],
  signal?: AbortSignal,
): Promise<FetchedManifest> {
  const asked = asDigest(reference);
  // Before anything is sent: a digest that cannot be checked is not worth asking for.
  if (asked !== null) digestAlgorithm(asked);
  const request = manifestRequest("GET", connection, reference, accept, signal);
  const wanted = { ...request, accept: [200] };
  const { reply, bytes } = await connection.read(wanted, MAX_DOCUMENT_BYTES);
  const announced = announcedDigest(reply);
  if (bytes === null) {
    const state = `it has more than ${MAX_DOCUMENT_BYTES} bytes, as many as a document may have`;
    throw connection.wrong("image-invalid", request, state, {}, reply.url);
  }
  // A registry that says one thing and sends another is not to be trusted with the rest.
  for (const expected of new Set([asked, announced])) {
    if (expected === null) continue;
    const found = digestBytes(bytes, digestAlgorithm(expected));
    if (found === expected) continue;
    const state = `its digest is "${found}", not "${expected}"`;
    const data = { digest: expected, found };
    throw connection.wrong("digest-mismatch", request, state, data, reply.url);
  }
  const digest = asked ?? announced ?? digestBytes(bytes, "sha256");
  const mediaType = documentType(reply.header("content-type"), bytes);
  if (mediaType !== null) return { bytes, mediaType, digest };
  const type = quote(reply.header("content-type"));
  throw connection.invalid(request, reply, `the answer of type ${type} is no manifest`);
}

/**
 * Reads a manifest or index that another document names.
 *
 * @throws {LayerfsError} `size-mismatch`, and as {@linkcode readManifest}
 */
export async function readDescribed(
  connection: Connection,
  { digest, size, mediaType }: Descriptor,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { bytes } = await readManifest(connection, digest, [mediaType], signal);
  if (bytes.length === size) return bytes;
  const request = manifestRequest("GET", connection, digest, [mediaType]);
  const state = `it has ${bytes.length} bytes, its descriptor says ${size}`;
  throw connection.wrong("size-mismatch", request, state, { size, found: bytes.length });
}

/**
 * Asks what a tag stands for, which registries count less than a pull.
 *
 * @returns null where the registry does not say, or refuses to; {@linkcode readManifest} then finds
 * out, or why
 * @throws {LayerfsError} as `Connection.request`
 */
export async function resolveTag(
  connection: Connection,
  tag: string,
  accept: readonly string[],
  signal?: AbortSignal,
): Promise<ResolvedTag | null> {
  const request = manifestRequest("HEAD", connection, tag, accept, signal);
  const reply = await connection.request({ ...request, accept: [200, ...UNEXPLAINED] });
  await reply.discard();
  const digest = announcedDigest(reply);
  const mediaType = plainType(reply.header("content-type"));
  if (reply.status !== 200 || digest === null || !isKnown(mediaType)) return null;
  return { digest, mediaType };
}

/** The digest that an answer says it has; null where it says none that layerfs computes. */
export function announcedDigest(reply: Reply): Digest | null {
  const text = reply.header("docker-content-digest");
  const digest = text === null ? null : asDigest(text);
  return digest !== null && isSupported(digest) ? digest : null;
}

function manifestRequest(
  method: "GET" | "HEAD",
  connection: Connection,
  reference: string,
  accept: readonly string[],
  signal?: AbortSignal,
) {
  return {
    action: `Cannot read manifest ${quote(reference)}`,
    method,
    target: connection.path(`manifests/${reference}`),
    headers: { accept: accept.join(", ") },
    ...(signal ? { signal } : {}),
  } as const;
}

function asDigest(reference: string): Digest | null {
  return digestProblem(reference) === null ? reference as Digest : null;
}

/** A media type without its parameters, in lowercase. */
function plainType(header: string | null): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function isKnown(mediaType: string): boolean {
  return isManifest(mediaType) || isIndex(mediaType);
}

/**
 * The type of a document. Static file servers say "application/json", or nothing: then its members
 * tell. Null where it is none.
 */
function documentType(header: string | null, bytes: Uint8Array): string | null {
  const type = plainType(header);
  if (isKnown(type)) return type;
  let value: unknown;
  try {
    value = parseJson(bytes, "manifest");
  } catch (error) {
    if (error instanceof LayerfsError) return null;
    throw error;
  }
  if (!isObject(value)) return null;
  if (typeof value.mediaType === "string" && isKnown(value.mediaType)) return value.mediaType;
  if (Array.isArray(value.manifests)) return OCI_INDEX;
  if (isObject(value.config) && Array.isArray(value.layers)) return OCI_MANIFEST;
  // A type that layerfs does not know is for whoever asked for it; schema 1 ends up here.
  return type !== "text/html" && mediaTypeProblem(type) === null ? type : null;
}
