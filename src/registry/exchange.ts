/**
 * Requests with their redirects: which hosts may be asked, over what, and who is told the
 * credentials.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_REDIRECTS } from "../limits.ts";
import { createInsecureTransport } from "./insecure_transport.ts";
import { deniedHost, NetworkFailure, networkFailure } from "./network_failure.ts";
import { isInsecureHost } from "./registries_conf.ts";
import { Reply } from "./reply.ts";
import { findCertificates, type RegistrySettings } from "./settings.ts";
import { throwIfInterrupted, type Timing, Watchdog } from "./timing.ts";
import { createTransport, type StreamBody, type Transport } from "./transport.ts";

/** A body, made anew for every try. */
export type RequestBody = Uint8Array<ArrayBuffer> | StreamBody;

/** One request, and the redirects that it leads to. */
export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** The Authorization header: for the origin of `url`, never for one that a redirect leads to. */
  readonly authorization?: string;
  readonly signal?: AbortSignal;
  /** Makes the error for an answer that leads where nobody should go. */
  readonly refuse: (url: URL, state: string) => LayerfsError;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Docker Hub's registry, which has another name than its images. */
export const DOCKER_HUB = "registry-1.docker.io";

/** All connections of one client. Close it. */
export class Exchange {
  readonly #settings: RegistrySettings;
  readonly #timing: Timing;
  readonly #insecure = new Set<string>();
  readonly #transports = new Map<string, Promise<Transport>>();

  constructor(settings: RegistrySettings, timing: Timing) {
    this.#settings = settings;
    this.#timing = timing;
  }

  /** Takes any certificate of a host, and plain HTTP: it was named insecure. */
  allowInsecure(host: string): void {
    this.#insecure.add(host);
  }

  /** Whether a host was named insecure. */
  isInsecure(host: string): boolean {
    const { tlsVerify, registries } = this.#settings;
    if (tlsVerify !== undefined) return !tlsVerify;
    return this.#insecure.has(host) || isInsecureHost(registries, host);
  }

  /** Why a URL that a registry names is not used; null where it may be. */
  objection(url: URL): string | null {
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      return `it leads to a URL of "${url.protocol}"`;
    }
    if (url.username !== "" || url.password !== "") return "it leads to a URL with a user in it";
    if (url.protocol === "https:" || this.isInsecure(url.host)) return null;
    return `it leads to "http://${url.host}", which is not encrypted; a registry behind a proxy ` +
      "must be told its own address, or add --tls-verify=false";
  }

  /**
   * Sends a request and follows its redirects.
   *
   * @throws {NetworkFailure} where no answer comes
   * @throws {LayerfsError} `permission-missing`, `interrupted`, or what `refuse` makes
   */
  async send(request: ExchangeRequest): Promise<Reply> {
    let { url, method } = request;
    for (let redirects = 0;; redirects++) {
      const objection = this.objection(url);
      if (objection !== null) throw request.refuse(url, objection);
      const reply = await this.#once(
        { ...request, url, method },
        url.origin === request.url.origin,
      );
      if (!REDIRECTS.has(reply.status)) return reply;
      const location = reply.header("location");
      await reply.discard();
      if (location === null) throw request.refuse(url, "a redirect without a Location");
      if (redirects === MAX_REDIRECTS) {
        throw request.refuse(url, `more than ${MAX_REDIRECTS} redirects`);
      }
      if (method !== "GET" && method !== "HEAD" && reply.status < 307) {
        throw request.refuse(url, `a redirect (${reply.status}) of a ${method}`);
      }
      url = parseUrl(location, url) ?? badUrl(request, url);
    }
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    for (const transport of this.#transports.values()) (await transport).close();
    this.#transports.clear();
  }

  async #once(request: ExchangeRequest, isOrigin: boolean): Promise<Reply> {
    const { method, url, signal, authorization } = request;
    const transport = await this.#transportFor(url);
    const watchdog = new Watchdog(signal);
    const body = request.body === undefined
      ? null
      : new SentBody(request.body, watchdog, this.#timing);
    watchdog.wind(body === null ? this.#timing.idle : this.#timing.commit);
    try {
      const response = await transport.send({
        method,
        url,
        headers: {
          // Digests are of what is stored. Asking for this keeps fetch from decoding as well, where a
          // server says gzip of a blob that is one.
          "accept-encoding": "identity",
          "user-agent": "layerfs",
          ...request.headers,
          ...(authorization !== undefined && isOrigin ? { authorization } : {}),
        },
        ...(body === null ? {} : { body: body.content }),
        signal: watchdog.signal,
      });
      watchdog.rest();
      const timing = this.#timing;
      return new Reply(response, url, { watchdog, timing, ...(signal ? { signal } : {}) });
    } catch (error) {
      watchdog.rest();
      throw this.#explain(error, request, body, watchdog);
    } finally {
      // An answer that comes early leaves the rest of the content unread.
      await body?.close();
    }
  }

  #explain(
    error: unknown,
    { signal, url }: ExchangeRequest,
    body: SentBody | null,
    watchdog: Watchdog,
  ): unknown {
    if (body?.failure !== undefined) return body.failure.error;
    throwIfInterrupted(signal);
    const denied = deniedHost(error);
    if (denied !== null) return permissionMissing(denied === "" ? url.host : denied);
    if (error instanceof LayerfsError) return error;
    if (!watchdog.expired) return networkFailure(error);
    const seconds = (body === null ? this.#timing.idle : this.#timing.commit) / 1000;
    return new NetworkFailure("timeout", `no answer for ${seconds} s`);
  }

  #transportFor({ host, protocol }: URL): Promise<Transport> {
    const insecure = protocol === "https:" && this.isInsecure(host);
    const key = `${insecure} ${host}`;
    const known = this.#transports.get(key);
    if (known !== undefined) return known;
    const name = host === DOCKER_HUB ? "docker.io" : host;
    const made = findCertificates(this.#settings, name).then(
      insecure ? createInsecureTransport : createTransport,
    );
    this.#transports.set(key, made);
    // What cannot be made is made anew, and its error is whose it is that asked.
    made.catch(() => this.#transports.delete(key));
    return made;
  }
}

/** The URL that `text` stands for in an answer from `base`; null where it is none. */
export function parseUrl(text: string, base: URL): URL | null {
  return URL.canParse(text, base) ? new URL(text, base) : null;
}

function badUrl({ refuse }: ExchangeRequest, url: URL): never {
  throw refuse(url, "a redirect to what is no URL");
}

/** A body on its way: winds the watchdog, remembers a failure of its source, and can be closed. */
class SentBody {
  /** What the source threw, if it did: the transport's error hides it. */
  failure: { readonly error: unknown } | undefined;
  readonly content: RequestBody;
  #running: AsyncGenerator<Uint8Array> | undefined;

  constructor(body: RequestBody, watchdog: Watchdog, timing: Timing) {
    if (body instanceof Uint8Array) {
      this.content = body;
      return;
    }
    const { size, open } = body;
    this.content = {
      size,
      open: () => this.#running = this.#send(open(), watchdog, timing),
    };
  }

  async close(): Promise<void> {
    await this.#running?.return(undefined);
  }

  async *#send(
    source: AsyncIterable<Uint8Array>,
    watchdog: Watchdog,
    timing: Timing,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        watchdog.wind(timing.idle);
        yield chunk;
      }
    } catch (error) {
      this.failure = { error };
      throw error;
    }
    watchdog.wind(timing.commit);
  }
}

function permissionMissing(host: string): LayerfsError {
  const flag = `--allow-net=${host}`;
  return new LayerfsError(
    "permission-missing",
    `Cannot reach "${host}": Deno may not; add ${flag} to its command line`,
    { flag },
  );
}
