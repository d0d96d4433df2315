/**
 * Requests to one repository of one registry: scheme, authorization, retries, errors.
 *
 * @module
 */

import { DAMAGED } from "../blob/origin.ts";
import type { LayerfsError } from "../errors.ts";
import { MAX_ERROR_BYTES } from "../limits.ts";
import { Authenticator, type Grant } from "./authenticator.ts";
import { parseChallenges } from "./challenge.ts";
import { DOCKER_HUB, type Exchange, parseUrl, type RequestBody } from "./exchange.ts";
import { NetworkFailure } from "./network_failure.ts";
import type { Endpoint } from "./registries_conf.ts";
import {
  errorCodes,
  errorText,
  isTransient,
  type Place,
  registryError,
  type RequestName,
  statusCode,
  unreachable,
} from "./registry_error.ts";
import type { Reply } from "./reply.ts";
import { findCredentials, type RegistrySettings } from "./settings.ts";
import { parseRetryAfter, type Timing, Transient, withRetries } from "./timing.ts";

/** One request to a registry. */
export interface RegistryRequest {
  /** What is being done, such as `Cannot read manifest "latest"`: errors begin with it. */
  readonly action: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query below the registry, or a URL that the registry has given. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for every try. */
  readonly body?: () => RequestBody;
  /** What it takes, on top of `pull` of the own repository; `delete` on top of `push`. */
  readonly access?: "push" | "delete";
  /** Another repository that it reads from (a mount). */
  readonly from?: string;
  /** Statuses that are no errors. */
  readonly accept: readonly number[];
  /** False where the caller does the retries; a {@linkcode Transient} then reaches it. */
  readonly retry?: boolean;
  readonly signal?: AbortSignal;
}

/** Rounds of asking, being refused, and asking with a better header. */
const MAX_ROUNDS = 3;

/** One repository of one registry. */
export class Connection {
  /** Where it leads to. */
  readonly endpoint: Endpoint;
  /** Repositories that were found to be none that blobs may be mounted from. */
  readonly unreadable = new Set<string>();
  readonly #exchange: Exchange;
  readonly #timing: Timing;
  readonly #authenticator: Authenticator;
  readonly #insecure: boolean;
  readonly #place: Place;
  #base: Promise<URL> | undefined;

  constructor(endpoint: Endpoint, exchange: Exchange, settings: RegistrySettings, timing: Timing) {
    const { host, repository } = endpoint;
    this.endpoint = endpoint;
    this.#exchange = exchange;
    this.#timing = timing;
    const url = new URL(`https://${host === "docker.io" ? DOCKER_HUB : host}`);
    if (endpoint.insecure) exchange.allowInsecure(url.host);
    this.#insecure = exchange.isInsecure(url.host);
    const { origin } = url;
    const redact = (text: string) => this.#authenticator.redact(text);
    this.#place = { host, origin, repository, redact };
    this.#authenticator = new Authenticator(
      { place: this.#place, exchange, timing },
      () => findCredentials(settings, host, repository),
      this.#insecure,
    );
  }

  /** `/v2/REPOSITORY/REST`. */
  path(rest: string): string {
    return `/v2/${this.endpoint.repository}/${rest}`;
  }

  /**
   * Sends a request, again where that may help, and returns the answer if its status is wanted.
   *
   * @throws {LayerfsError} `not-found`, `unauthorized`, `unreachable`, `registry-invalid`,
   * `permission-missing`, `interrupted`; and what finding credentials throws
   * @throws {Transient} where the request says that it is not to be retried here
   */
  async request(request: RegistryRequest): Promise<Reply> {
    if (request.retry === false) return await this.#attempt(request);
    return await withRetries(this.#timing, request.signal, () => this.#attempt(request));
  }

  /** The error for an answer that has the right status, but is not as it must be. */
  invalid(request: Pick<RegistryRequest, "action" | "method">, reply: Reply, state: string) {
    return this.#error("registry-invalid", request, reply.url, `${reply.status}: ${state}`);
  }

  /**
   * The error for content that is not what it was asked for as.
   *
   * @param at where it came from, after redirects
   */
  wrong(
    code: "digest-mismatch" | "size-mismatch" | "image-invalid",
    request: Pick<RegistryRequest, "action" | "method" | "target">,
    state: string,
    data: LayerfsError["data"] = {},
    at = new URL(request.target, this.#place.origin),
  ): LayerfsError {
    const advice = code === "image-invalid" ? "" : DAMAGED;
    return this.#error(code, request, at, state, data, advice);
  }

  /** The failure of a connection that broke while its answer was being read. */
  broken(
    request: Pick<RegistryRequest, "action" | "method">,
    url: URL,
    failure: NetworkFailure,
  ): Transient {
    return new Transient(unreachable(this.#place, { ...request, url }, failure));
  }

  /** The URL of a Location or Link header; one that cannot be used is an error. */
  resolve(request: Pick<RegistryRequest, "action" | "method">, reply: Reply, text: string): URL {
    const url = parseUrl(text, reply.url);
    const objection = url === null ? "it leads to what is no URL" : this.#exchange.objection(url);
    if (url !== null && objection === null) return url;
    throw this.invalid(request, reply, objection ?? "");
  }

  /**
   * Sends a request and reads the whole answer, all of it again where the connection breaks.
   *
   * @returns `bytes` null where there are more than `limit`
   * @throws {LayerfsError} as {@linkcode request}
   */
  async read(
    request: RegistryRequest,
    limit: number,
  ): Promise<{ reply: Reply; bytes: Uint8Array | null }> {
    return await withRetries(this.#timing, request.signal, async () => {
      const reply = await this.#attempt(request);
      try {
        return { reply, bytes: await reply.bytes(limit) };
      } catch (error) {
        if (error instanceof NetworkFailure) throw this.broken(request, reply.url, error);
        throw error;
      }
    });
  }

  async #attempt(request: RegistryRequest): Promise<Reply> {
    let url = new URL(request.target, this.#place.origin);
    try {
      url = await this.#url(request);
      const reply = await this.#authorized(request, url);
      if (request.accept.includes(reply.status)) return reply;
      throw await this.#refusal(request, reply);
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      const failed = unreachable(this.#place, { ...request, url }, error);
      throw error.isLasting ? failed : new Transient(failed);
    }
  }

  async #authorized(request: RegistryRequest, url: URL): Promise<Reply> {
    const { signal, action } = request;
    const purpose = {
      action,
      scopes: this.#scopes(request),
      // A token that is only for a mount is not worth waiting for, either.
      retry: request.from === undefined,
      ...(signal ? { signal } : {}),
    };
    for (let round = 1;; round++) {
      // A URL of another origin, for uploads, brings its own authorization along.
      const isOwn = url.origin === this.#place.origin;
      const grant: Grant | null = isOwn ? await this.#authenticator.grant(purpose) : null;
      const body = request.body?.();
      const reply = await this.#exchange.send({
        method: request.method,
        url,
        ...(request.headers === undefined ? {} : { headers: request.headers }),
        ...(body === undefined ? {} : { body }),
        ...(grant === null ? {} : { authorization: grant.header }),
        ...(signal ? { signal } : {}),
        refuse: (at, state) => this.#error("registry-invalid", request, at, state),
      });
      const asks = reply.status === 401 && reply.url.origin === this.#place.origin;
      if (!asks || round === MAX_ROUNDS) return reply;
      const challenges = parseChallenges(reply.header("www-authenticate"));
      if (!await this.#authenticator.answer(challenges, grant, purpose)) return reply;
      await reply.discard();
    }
  }

  /** The scopes of a request: "pull" goes with "push", as uploads are looked at as well. */
  #scopes({ access, from, target }: RegistryRequest): string[] {
    const { repository } = this.endpoint;
    if (repository === "" || target === "/v2/") return [];
    const actions = { pull: "pull", push: "pull,push", delete: "pull,push,delete" };
    const own = `repository:${repository}:${actions[access ?? "pull"]}`;
    return from === undefined ? [own] : [own, `repository:${from}:pull`];
  }

  async #url({ target, action, signal }: RegistryRequest): Promise<URL> {
    if (target instanceof URL) return target;
    this.#base ??= this.#findBase(action, signal);
    try {
      return new URL(target, await this.#base);
    } catch (error) {
      this.#base = undefined;
      throw error;
    }
  }

  /** https, but for a registry that was named insecure and does not speak it. */
  async #findBase(action: string, signal?: AbortSignal): Promise<URL> {
    const base = new URL(this.#place.origin);
    if (!this.#insecure) return base;
    const ping = async (origin: string) => {
      const reply = await this.#exchange.send({
        method: "GET",
        url: new URL("/v2/", origin),
        ...(signal ? { signal } : {}),
        refuse: (at, state) =>
          this.#error("registry-invalid", { action, method: "GET" }, at, state),
      });
      await reply.discard();
      return reply.status;
    };
    try {
      await ping(base.origin);
      return base;
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      const plain = `http://${base.host}`;
      // Where neither answers, the second error is as good. A server of https answers 400 to plain HTTP:
      // then it was a connection that broke.
      if (await ping(plain) === 400) throw error;
      this.#place.origin = plain;
      return new URL(plain);
    }
  }

  /** The error for a status that is not wanted. */
  async #refusal(request: RegistryRequest, reply: Reply): Promise<LayerfsError | Transient> {
    const { status } = reply;
    const body = await reply.beginning(MAX_ERROR_BYTES);
    const said = errorText(this.#place, body, reply.header("content-type"));
    const state = `${status}${said === "" ? "" : `: ${said}`}`;
    const isOurs = reply.url.origin === this.#place.origin;
    const advice = (status === 401 || status === 403) && isOurs
      ? await this.#authenticator.advice()
      : status === 429
      ? "it limits how much one may ask for; log in, or try again later"
      : "";
    const codes = errorCodes(body);
    const wrongDigest = codes.includes("DIGEST_INVALID");
    const code = wrongDigest ? "digest-mismatch" : statusCode(status);
    const data = {
      status,
      ...(codes.length > 0
        ? { errors: this.#place.redact(codes.slice(0, 3).join(" ")).slice(0, 200) }
        : {}),
    };
    const error = this.#error(code, request, reply.url, state, data, advice);
    if (!isTransient(status)) return error;
    return new Transient(error, parseRetryAfter(reply.header("retry-after"), this.#timing.now()));
  }

  #error(
    code: LayerfsError["code"],
    { action, method }: Pick<RequestName, "action" | "method">,
    url: URL,
    state: string,
    data: LayerfsError["data"] = {},
    advice = "",
  ): LayerfsError {
    return registryError(code, this.#place, { action, method, url }, state, data, advice);
  }
}
