/**
 * Authorization headers for one repository: Basic, or Bearer with tokens of a token server
 * (distribution's "Token Authentication Specification" and its OAuth2 form).
 *
 * Tokens are kept until they expire, by what they are for. A token server may be another host than
 * the registry: it gets the credentials because the registry names it, and over https only.
 *
 * @module
 */

import type { LayerfsError } from "../errors.ts";
import { MAX_ERROR_BYTES, MAX_TOKEN_BYTES } from "../limits.ts";
import { isObject } from "../oci/fields.ts";
import type { Challenge } from "./challenge.ts";
import { type Credentials, redact } from "./credentials.ts";
import { type Exchange, parseUrl } from "./exchange.ts";
import { NetworkFailure } from "./network_failure.ts";
import type { Reply } from "./reply.ts";
import {
  errorText,
  isTransient,
  type Place,
  registryError,
  unreachable,
} from "./registry_error.ts";
import { parseRetryAfter, type Timing, Transient, withRetries } from "./timing.ts";

/** An Authorization header. */
export interface Grant {
  /** The header's value. */
  readonly header: string;
  /** Whether it was made for this very request, so that a new one would be no better. */
  readonly fresh: boolean;
}

/** What one request is for. */
export interface Purpose {
  /** Such as `Cannot read manifest "latest"`. */
  readonly action: string;
  /** Such as "repository:library/alpine:pull"; in a fixed order. */
  readonly scopes: readonly string[];
  /** Whether a token server is asked again where that may help; else a {@linkcode Transient} comes. */
  readonly retry: boolean;
  readonly signal?: AbortSignal;
}

interface Token {
  readonly value: string;
  readonly expires: number;
}

type Method =
  | { readonly kind: "none" }
  | { readonly kind: "basic" }
  | { readonly kind: "bearer"; readonly realm: URL; readonly service: string };

/** Seconds that a token is good for where its server does not say (token specification). */
const DEFAULT_LIFETIME = 60;
/** Seconds before its end at which a token is not used any more. */
const MARGIN = 5;
/** Scopes that a registry may ask for on top of ours. */
const MAX_EXTRA_SCOPES = 4;

/** Authorizes the requests for one repository. */
export class Authenticator {
  readonly #place: Place;
  readonly #exchange: Exchange;
  readonly #timing: Timing;
  readonly #find: () => Promise<Credentials | null>;
  readonly #insecure: boolean;
  #method: Method = { kind: "none" };
  #credentials: Promise<Credentials | null> | undefined;
  readonly #tokens = new Map<string, Token>();
  readonly #pending = new Map<string, Promise<Token>>();
  readonly #extra = new Map<string, string[]>();
  readonly #secrets = new Set<string>();

  /**
   * @param find looks up the credentials; called when a registry asks for some, and once
   * @param insecure whether the registry was named insecure, so that its token server may be as well
   */
  constructor(
    { place, exchange, timing }: { place: Place; exchange: Exchange; timing: Timing },
    find: () => Promise<Credentials | null>,
    insecure: boolean,
  ) {
    this.#place = place;
    this.#exchange = exchange;
    this.#timing = timing;
    this.#find = find;
    this.#insecure = insecure;
  }

  /** The header for a request, as far as anything is known of what the registry wants. */
  async grant(purpose: Purpose): Promise<Grant | null> {
    if (this.#method.kind === "none") return null;
    if (this.#method.kind === "basic") {
      const credentials = await this.#known();
      return credentials === null ? null : { header: `Basic ${credentials.basic()}`, fresh: true };
    }
    const key = this.#scopes(purpose).join(" ");
    const kept = this.#tokens.get(key);
    if (kept !== undefined && kept.expires > this.#timing.now()) {
      return { header: `Bearer ${kept.value}`, fresh: false };
    }
    const { value } = await this.#renew(key, purpose, this.#method);
    return { header: `Bearer ${value}`, fresh: true };
  }

  /**
   * Takes in what a registry wants after it refused a request.
   *
   * @param refused the header that it refused; null where there was none
   * @returns whether another try may go better
   * @throws {LayerfsError} `registry-invalid` for a token server that credentials must not go to
   */
  async answer(
    challenges: readonly Challenge[],
    refused: Grant | null,
    purpose: Purpose,
  ): Promise<boolean> {
    const bearer = challenges.find(({ scheme, parameters }) =>
      scheme === "bearer" && parameters.has("realm")
    );
    if (bearer !== undefined) {
      const { parameters } = bearer;
      const realm = this.#checkRealm(parameters.get("realm") ?? "", purpose);
      this.#method = { kind: "bearer", realm, service: parameters.get("service") ?? "" };
      const added = this.#addScopes(purpose, parameters.get("scope") ?? "");
      if (refused === null) return true;
      for (const [key, { value }] of this.#tokens) {
        if (refused.header === `Bearer ${value}`) this.#tokens.delete(key);
      }
      return added || !refused.fresh;
    }
    if (!challenges.some(({ scheme }) => scheme === "basic")) return false;
    this.#method = { kind: "basic" };
    const credentials = await this.#known();
    return refused === null && credentials !== null && !credentials.isIdentityToken;
  }

  /** What to do about a refusal. */
  async advice(): Promise<string> {
    const { host } = this.#place;
    const login = `layerfs login ${host}`;
    const credentials = await this.#known();
    if (credentials === null) {
      return `it wants credentials, or there is no such repository; log in with ${login}, or give --creds`;
    }
    const whose = credentials.username === "" ? "" : ` of "${credentials.username}"`;
    return `the credentials${whose} are wrong or do not suffice; log in anew with ${login}, or give --creds`;
  }

  /** Text of a registry's without the secrets that it was told. */
  redact(text: string): string {
    return redact(text, this.#secrets);
  }

  async #known(): Promise<Credentials | null> {
    const credentials = await (this.#credentials ??= this.#find());
    for (const secret of credentials?.secrets() ?? []) this.#secrets.add(secret);
    return credentials;
  }

  #scopes({ scopes }: Purpose): string[] {
    return [...scopes, ...this.#extra.get(scopes.join(" ")) ?? []];
  }

  /** Remembers scopes that the registry asks for beside ours; whether any is new. */
  #addScopes(purpose: Purpose, asked: string): boolean {
    const known = this.#scopes(purpose);
    const added = asked.slice(0, 1000).split(" ").filter((scope) =>
      scope !== "" && !known.includes(scope)
    );
    const key = purpose.scopes.join(" ");
    const extra = [...new Set([...this.#extra.get(key) ?? [], ...added])];
    if (added.length === 0 || extra.length > MAX_EXTRA_SCOPES) return false;
    this.#extra.set(key, extra);
    return true;
  }

  #checkRealm(text: string, { action }: Purpose): URL {
    const url = parseUrl(text, new URL(this.#place.origin));
    if (url?.protocol === "http:" && this.#insecure) this.#exchange.allowInsecure(url.host);
    const objection = url === null ? "it is no URL" : this.#exchange.objection(url);
    if (url !== null && objection === null) return url;
    const request = { action, method: "GET", url: new URL("/v2/", this.#place.origin) };
    const state = `the token server that it names is not used: ${objection}`;
    throw registryError("registry-invalid", this.#place, request, state);
  }

  /** A new token; one request for all who want the same. */
  #renew(key: string, purpose: Purpose, method: Method & { kind: "bearer" }): Promise<Token> {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const ask = () => this.#ask(purpose, method);
    const asked = purpose.retry ? withRetries(this.#timing, purpose.signal, ask) : ask();
    const token = asked
      .then((made) => {
        this.#tokens.set(key, made);
        return made;
      })
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, token);
    return token;
  }

  async #ask(purpose: Purpose, { realm, service }: Method & { kind: "bearer" }): Promise<Token> {
    const credentials = await this.#known();
    const scopes = this.#scopes(purpose);
    const url = new URL(realm);
    const identity = credentials?.isIdentityToken === true;
    let body: Uint8Array<ArrayBuffer> | undefined;
    if (identity) {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        client_id: "layerfs",
        service,
      });
      form.set("refresh_token", credentials.reveal());
      if (scopes.length > 0) form.set("scope", scopes.join(" "));
      body = new TextEncoder().encode(form.toString());
    } else {
      if (service !== "") url.searchParams.set("service", service);
      for (const scope of scopes) url.searchParams.append("scope", scope);
      if (credentials !== null) url.searchParams.set("account", credentials.username);
    }
    const method = identity ? "POST" : "GET";
    const request = { action: purpose.action, method, url };
    try {
      const reply = await this.#exchange.send({
        method,
        url,
        headers: {
          accept: "application/json",
          ...(identity ? { "content-type": "application/x-www-form-urlencoded" } : {}),
        },
        ...(body === undefined ? {} : { body }),
        ...(credentials === null || identity
          ? {}
          : { authorization: `Basic ${credentials.basic()}` }),
        ...(purpose.signal ? { signal: purpose.signal } : {}),
        refuse: (at, state) => this.#error("registry-invalid", { ...request, url: at }, state),
      });
      return await this.#readToken(reply, request);
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      const failed = unreachable(this.#place, request, error);
      throw error.isLasting ? failed : new Transient(failed);
    }
  }

  async #readToken(
    reply: Reply,
    request: { action: string; method: string; url: URL },
  ): Promise<Token> {
    const { status } = reply;
    if (status !== 200) {
      const said = errorText(
        this.#place,
        await reply.beginning(MAX_ERROR_BYTES),
        reply.header("content-type"),
      );
      const state = `${status}${said === "" ? "" : `: ${said}`}`;
      if (isTransient(status)) {
        const asked = parseRetryAfter(reply.header("retry-after"), this.#timing.now());
        throw new Transient(this.#error("unreachable", request, state), asked);
      }
      // Whatever a token server refuses, it refuses who we are.
      throw this.#error("unauthorized", request, state, await this.advice());
    }
    const token = parseToken(await reply.bytes(MAX_TOKEN_BYTES));
    if (token === null) {
      throw this.#error("registry-invalid", request, "there is no token in its answer");
    }
    this.#secrets.add(token.value);
    return { value: token.value, expires: this.#timing.now() + (token.lifetime - MARGIN) * 1000 };
  }

  #error(
    code: "unauthorized" | "unreachable" | "registry-invalid",
    request: { action: string; method: string; url: URL },
    state: string,
    advice = "",
  ): LayerfsError {
    return registryError(code, this.#place, request, state, {}, advice);
  }
}

/** The token of an answer, and the seconds that it is good for; null where there is none. */
function parseToken(bytes: Uint8Array | null): { value: string; lifetime: number } | null {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
  } catch {
    // The error would quote the token.
    return null;
  }
  if (!isObject(answer)) return null;
  const value = answer.token || answer.access_token;
  // Anything else could not stand in a header.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) return null;
  const { expires_in: lifetime } = answer;
  return {
    value,
    lifetime: typeof lifetime === "number" && lifetime > 0 ? lifetime : DEFAULT_LIFETIME,
  };
}
