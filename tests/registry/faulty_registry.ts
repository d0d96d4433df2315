/**
 * A small registry on the loopback interface that does what a test wants, however wrong.
 *
 * It has blobs, manifests, uploads and tags as the distribution spec says; a test puts a handler in
 * front of that, and looks at what was asked.
 *
 * @module
 */

import { digestBytes } from "../../src/core/hasher.ts";
import { OCI_MANIFEST } from "../../src/oci/media_type.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { concat } from "../fixtures/tar.ts";

/** An authority (ca.crt), and a certificate of its for localhost and 127.0.0.1, valid until 2126. */
export const CERTIFICATES = new URL("localhost", import.meta.url).pathname;

/** How a client reaches the registry. */
export type Wire = "http" | "https" | "unverified https";

/** A request that came. */
export interface Asked {
  method: string;
  /** Path and query. */
  target: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
}

/** Answers a request; undefined leaves it to the registry. */
export type Handler = (asked: Asked) => Response | undefined | Promise<Response | undefined>;

/** A registry; dispose of it. */
export class FaultyRegistry implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly manifests = new Map<string, { bytes: Uint8Array<ArrayBuffer>; type: string }>();
  readonly uploads = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly host: string;
  /** Is waited for before the body of a request is read; who sends a long one is in the midst of it. */
  gate: (request: Pick<Asked, "method" | "target">) => Promise<void> | void = () => {};
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #sessions = 0;

  constructor(
    public handler: Handler = () => undefined,
    readonly wire: Wire = "http",
    name = "127.0.0.1",
  ) {
    const options = { port: 0, hostname: "127.0.0.1", onListen() {}, onError: refuse };
    const secure = wire === "http" ? {} : {
      cert: Deno.readTextFileSync(`${CERTIFICATES}/server.pem`),
      key: Deno.readTextFileSync(`${CERTIFICATES}/server-key.pem`),
    };
    this.#server = Deno.serve({ ...options, ...secure }, (request) => this.#answer(request));
    this.host = `${name}:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  /** Adds a blob. */
  blob(bytes: Uint8Array<ArrayBuffer>): Descriptor {
    const digest = digestBytes(bytes, "sha256", "native");
    this.blobs.set(digest, bytes);
    return { mediaType: "application/octet-stream", digest, size: bytes.length };
  }

  /** Adds a manifest under a tag and its digest. */
  manifest(tag: string, text: string, type = OCI_MANIFEST): Digest {
    const bytes = new TextEncoder().encode(text);
    const digest = digestBytes(bytes, "sha256", "native");
    for (const name of [tag, digest]) this.manifests.set(name, { bytes, type });
    return digest;
  }

  /** `METHOD target` of all requests. */
  get log(): string[] {
    return this.asked.map(({ method, target }) => `${method} ${target}`);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const { method } = request;
    const target = `${pathname}${search}`;
    await this.gate({ method, target });
    const asked = {
      method,
      target,
      headers: new Headers(request.headers),
      body: await request.bytes(),
    };
    this.asked.push(asked);
    return await this.handler(asked) ?? this.#usual(asked, new URL(request.url));
  }

  #usual({ method, target, headers, body }: Asked, url: URL): Response {
    const [, name, kind, rest = ""] =
      /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    if (url.pathname === "/v2/") return new Response("{}");
    if (kind === "blobs/uploads") {
      return this.#upload(method, rest, `/v2/${name}`, url, headers, body);
    }
    if (kind === "manifests" && method === "PUT") {
      this.manifests.set(rest, { bytes: body, type: headers.get("content-type") ?? "" });
      return new Response(null, { status: 201 });
    }
    const manifest = kind === "manifests" ? this.manifests.get(rest) : undefined;
    const content = manifest?.bytes ?? (kind === "blobs" ? this.blobs.get(rest) : undefined);
    if (content === undefined) return failure(404, "NAME_UNKNOWN", `no ${target}`);
    const start = Number(/^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    return new Response(method === "HEAD" ? null : content.slice(start), {
      status: start > 0 ? 206 : 200,
      headers: {
        "content-type": manifest?.type ?? "application/octet-stream",
        "docker-content-digest": digestBytes(content, "sha256", "native"),
        ...(start > 0
          ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }
          : {}),
      },
    });
  }

  #upload(
    method: string,
    session: string,
    repository: string,
    url: URL,
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Response {
    if (method === "POST") {
      const id = `s${++this.#sessions}`;
      this.uploads.set(id, new Uint8Array());
      return session202(repository, id, 0);
    }
    const had = this.uploads.get(session);
    if (had === undefined) return failure(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    if (method === "GET") return session202(repository, session, had.length, 204);
    if (method === "DELETE") {
      this.uploads.delete(session);
      return new Response(null, { status: 204 });
    }
    const start = Number(headers.get("content-range")?.split("-")[0] ?? had.length);
    if (start !== had.length) return failure(416, "RANGE_INVALID", "not the next byte");
    const bytes = concat([had, body]);
    this.uploads.set(session, bytes);
    if (method === "PATCH") return session202(repository, session, bytes.length);
    const digest = url.searchParams.get("digest") ?? "";
    if (digestBytes(bytes, "sha256", "native") !== digest) {
      return failure(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    this.blobs.set(digest, bytes);
    this.uploads.delete(session);
    return new Response(null, { status: 201, headers: { "docker-content-digest": digest } });
  }
}

/** An error as registries send it. */
export function failure(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}

/** A body that breaks after `bytes`. */
export function broken(
  bytes: Uint8Array,
  status = 200,
  headers: Record<string, string> = {},
): Response {
  let sent = false;
  const body = new ReadableStream({
    async pull(controller) {
      // What came before must reach the client first.
      if (sent) await new Promise((resolve) => setTimeout(resolve, 20));
      if (sent) controller.error(new Error("broken on purpose"));
      else controller.enqueue(bytes);
      sent = true;
    },
  });
  return new Response(body, { status, headers });
}

/** A body that never ends. */
export function endless(chunk: Uint8Array, headers: Record<string, string> = {}): Response {
  return new Response(new ReadableStream({ pull: (to) => to.enqueue(chunk.slice()) }), { headers });
}

function session202(repository: string, id: string, length: number, status = 202): Response {
  return new Response(null, {
    status,
    headers: {
      location: `${repository}/blobs/uploads/${id}?_state=secret`,
      range: `0-${Math.max(0, length - 1)}`,
    },
  });
}

/** A handler that threw, or a body that broke on purpose. */
function refuse(error: unknown): Response {
  return new Response(String(error), { status: 500 });
}
