/**
 * The transport for https to registries that were named insecure: certificates are not looked at.
 *
 * Deno's fetch skips verification for hosts that its own command line names only; node:https does so
 * for one request. It knows no proxies.
 *
 * @module
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import type { Certificates } from "./certificates.ts";
import type { Transport, TransportRequest } from "./transport.ts";

/** Statuses whose answers have no body (fetch standard, "null body status"). */
const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/** A transport over node:https that takes whoever answers. */
export function createInsecureTransport(certificates: Certificates | null): Transport {
  // An explicit list of authorities keeps Node's layer from reading NODE_EXTRA_CA_CERTS, for which
  // Deno wants another permission.
  const agent = new https.Agent({
    keepAlive: true,
    rejectUnauthorized: false,
    ca: [],
    ...certificates?.client,
  });
  return { send: (request) => send(request, agent), close: () => agent.destroy() };
}

async function send(
  { method, url, headers, body, signal }: TransportRequest,
  agent: https.Agent,
): Promise<Response> {
  const length = body === undefined
    ? (method === "POST" || method === "PUT" ? 0 : undefined)
    : body instanceof Uint8Array
    ? body.length
    : body.size;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = https.request({
    agent,
    method,
    // Node takes an IPv6 address without its brackets.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? undefined : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      ...headers,
      ...(length === undefined ? {} : { "content-length": length }),
    },
  });
  const abort = () =>
    request.destroy(new DOMException("The signal has been aborted", "AbortError"));
  signal.addEventListener("abort", abort);
  request.on("response", resolve);
  request.on("error", reject);
  request.on("close", () => signal.removeEventListener("abort", abort));
  try {
    if (signal.aborted) abort();
    await Promise.race([promise, write(request, body)]);
    return toResponse(await promise, method);
  } catch (error) {
    request.destroy();
    throw error;
  }
}

/** Sends the body. An answer that comes before its end is an answer all the same. */
async function write(request: ClientRequest, body: TransportRequest["body"]): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  for await (const chunk of body.open()) {
    if (request.destroyed) return;
    if (!request.write(chunk)) await drained(request);
  }
  request.end();
}

async function drained(request: ClientRequest): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  request.once("drain", resolve);
  request.once("close", resolve);
  await promise;
  request.off("drain", resolve);
  request.off("close", resolve);
}

function toResponse(message: IncomingMessage, method: string): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = message.statusCode ?? 0;
  const empty = method === "HEAD" || BODILESS.has(status);
  if (empty) message.resume();
  const body = empty ? null : Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Response(body, { status, headers });
}
