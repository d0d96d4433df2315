/**
 * One HTTP request and its answer, without redirects, retries or decoding: the interface, and the
 * transport over fetch that verifies certificates.
 *
 * @module
 */

import type { Certificates } from "./certificates.ts";

/** A body whose length is known before it is there. */
export interface StreamBody {
  /** Bytes that the stream has, no more and no fewer. */
  readonly size: number;
  /** Begins the stream. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** One request. */
export interface TransportRequest {
  /** Such as "GET". */
  readonly method: string;
  /** With http: or https:. */
  readonly url: URL;
  /** In lowercase names. */
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent; nothing where it is absent. */
  readonly body?: Uint8Array<ArrayBuffer> | StreamBody;
  /** Ends the request, and its answer's body. */
  readonly signal: AbortSignal;
}

/** Sends requests to hosts of one kind. */
export interface Transport {
  /**
   * Sends a request and returns when the headers of the answer are there. The body is as it came,
   * whatever its content-encoding; whoever gets it reads or cancels it.
   */
  send(request: TransportRequest): Promise<Response>;
  /** Closes idle connections. */
  close(): void;
}

/**
 * A transport over fetch. It goes through the proxies that HTTPS_PROXY and its kin name, and trusts
 * whom Deno trusts (DENO_TLS_CA_STORE), and the certificates' authorities.
 */
export function createTransport(certificates: Certificates | null): Transport {
  // A client of one's own can be closed, which the default one cannot.
  const client = Deno.createHttpClient({
    caCerts: [...certificates?.authorities ?? []],
    ...certificates?.client,
  });
  return {
    send: ({ body, ...request }) =>
      fetch(request.url, {
        ...request,
        client,
        redirect: "manual",
        ...(body === undefined ? {} : { body: toFetchBody(body) }),
      }),
    close: () => client.close(),
  };
}

function toFetchBody(body: Uint8Array<ArrayBuffer> | StreamBody): BodyInit {
  return body instanceof Uint8Array ? body : new SizedBlob(body);
}

/**
 * A stream with a length. Fetch sends a stream without a content-length, which blob stores refuse,
 * and drops such a header from ours; a Blob is what it knows the length of, without reading it.
 * fetch fails where the stream ends early, and sends nothing beyond the length.
 */
class SizedBlob extends Blob {
  readonly #body: StreamBody;

  constructor(body: StreamBody) {
    super();
    this.#body = body;
  }

  override get size(): number {
    return this.#body.size;
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    // Every chunk is made for one request, and sent as it is.
    return ReadableStream.from(this.#body.open()) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }
}
