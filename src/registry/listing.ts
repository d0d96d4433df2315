/**
 * Listings that come in pages: tags and referrers (distribution-spec, "Content Discovery").
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_DOCUMENT_BYTES, MAX_LISTED, MAX_PAGES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { Fields } from "../oci/fields.ts";
import { parseIndex } from "../oci/image_index.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import { parseJson } from "../oci/strict_json.ts";
import type { Connection, RegistryRequest } from "./connection.ts";
import { readTaggedReferrers } from "./referrers_tag.ts";
import type { Reply } from "./reply.ts";

/** The tags of a repository, as the registry orders them. @throws as `Connection.request` */
export async function listTags(connection: Connection, signal?: AbortSignal): Promise<string[]> {
  const request = {
    action: "Cannot list tags",
    method: "GET",
    target: connection.path("tags/list?n=1000"),
    accept: [200],
    ...(signal ? { signal } : {}),
  } as const;
  const tags: string[] = [];
  for await (const { reply, bytes } of pages(connection, request)) {
    const found = parsed(connection, request, reply, () => {
      const fields = new Fields("list of tags", "", parseJson(bytes, "list of tags"));
      return fields.strings("tags");
    });
    tags.push(...found);
    if (tags.length > MAX_LISTED) throw tooMany(connection, request, reply);
  }
  return tags;
}

/**
 * Descriptors of the manifests whose subject is `digest`: signatures, attestations, bills of
 * materials.
 *
 * @param artifactType only those of this type
 * @throws {LayerfsError} as `Connection.request`
 */
export async function listReferrers(
  connection: Connection,
  digest: Digest,
  artifactType?: string,
  signal?: AbortSignal,
): Promise<Descriptor[]> {
  const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType })}`;
  const request = {
    action: `Cannot list referrers of ${digest}`,
    method: "GET",
    target: connection.path(`referrers/${digest}${query}`),
    headers: { accept: OCI_INDEX },
    accept: [200, 404],
    ...(signal ? { signal } : {}),
  } as const;
  const found: Descriptor[] = [];
  for await (const { reply, bytes } of pages(connection, request)) {
    if (reply.status === 404) {
      found.push(...await readTaggedReferrers(connection, digest, signal));
      break;
    }
    found.push(...parsed(connection, request, reply, () => parseIndex(bytes, OCI_INDEX).manifests));
    if (found.length > MAX_LISTED) throw tooMany(connection, request, reply);
  }
  // Registries may leave the filter to their clients.
  return found.filter((one) => artifactType === undefined || one.artifactType === artifactType);
}

/** The pages of a listing, by their Link headers (RFC 8288). */
async function* pages(
  connection: Connection,
  request: RegistryRequest,
): AsyncGenerator<{ reply: Reply; bytes: Uint8Array }> {
  const seen = new Set<string>();
  let { target } = request;
  for (;;) {
    const { reply, bytes } = await connection.read({ ...request, target }, MAX_DOCUMENT_BYTES);
    if (bytes === null) throw connection.invalid(request, reply, "a page is too long");
    seen.add(reply.url.href);
    yield { reply, bytes };
    const link = nextPage(reply.header("link"));
    if (link === null) return;
    const next = connection.resolve(request, reply, link);
    if (next.origin !== reply.url.origin) {
      throw connection.invalid(request, reply, "its next page is at another host");
    }
    if (seen.has(next.href) || seen.size >= MAX_PAGES) {
      throw connection.invalid(request, reply, "its pages have no end");
    }
    target = next;
  }
}

/** The target of the link "next"; null where there is none. */
function nextPage(header: string | null): string | null {
  const text = (header ?? "").slice(0, 8192);
  for (const [, target = "", rest = ""] of text.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (/;\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?/i.test(rest)) return target;
  }
  return null;
}

/** What a parser of documents finds invalid, as an error of the registry's. */
function parsed<T>(
  connection: Connection,
  request: RegistryRequest,
  reply: Reply,
  parse: () => T,
): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    throw connection.invalid(request, reply, error.message);
  }
}

function tooMany(connection: Connection, request: RegistryRequest, reply: Reply): LayerfsError {
  return connection.invalid(request, reply, `it lists more than ${MAX_LISTED}`);
}
