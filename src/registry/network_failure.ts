/**
 * What went wrong below HTTP: no connection, no trust, a connection that broke.
 *
 * @module
 */

import { printable } from "../errors.ts";

/** Kinds of trouble that the user can do something about. */
export type NetworkTrouble =
  /** Nobody vouches for the certificate, or it is for another host, or no longer valid. */
  | "certificate"
  /** The other side does not speak TLS. */
  | "not-tls"
  /** It said nothing for too long. */
  | "timeout"
  /** Anything else. */
  | "connection";

/** A request that got no answer, or not all of one. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure";

  constructor(readonly trouble: NetworkTrouble, message: string) {
    super(printable(message.slice(0, 300)));
  }

  /** Whether it would be the same the next time: the certificate, or an answer that is no TLS. */
  get isLasting(): boolean {
    return this.trouble === "certificate" ||
      this.trouble === "not-tls" && !/eof/i.test(this.message);
  }
}

/**
 * What fetch or node:https threw, in a few words. They quote the URL of the request, which may hold
 * a signature that is as good as a password, so only what follows is taken over. Their wordings
 * (Deno 2.9.6):
 *
 *     error sending request for url (URL): client error (Connect): invalid peer certificate: Expired
 *     error sending request from A for URL (B): client error (SendRequest): connection closed …
 *     error reading a body from connection
 *     unable to verify the first certificate
 */
export function networkFailure(error: unknown): NetworkFailure {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  const text = messages.at(-1) ?? String(error);
  const state = /client error \(\w+\)(?:: )?(.*)$/s.exec(text)?.[1] ??
    (text.includes("://") ? "the request could not be sent" : text);
  if (/peer certificate|unable to verify|self[- ]signed|altnames/i.test(state)) {
    return new NetworkFailure("certificate", state);
  }
  if (/corrupt message|InvalidContentType|tls handshake eof|wrong version number/i.test(state)) {
    return new NetworkFailure("not-tls", state);
  }
  return new NetworkFailure("connection", state === "" ? "the connection broke" : state);
}

/** What a denied Deno permission is about, `HOST:PORT`; null where the error is another. */
export function deniedHost(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      return /net access to "([^"]+)"/.exec(cause.message)?.[1] ?? "";
    }
  }
  return null;
}
