/**
 * Who one is to a registry: a user name with a password, or an identity token.
 *
 * The secret is private to the object: printing it, in whatever way, shows the user name only.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { quote } from "../oci/strict_json.ts";

/** A user name and a password, or an identity token (an OAuth2 refresh token). */
export class Credentials {
  /** Whose they are; "" where only a token is known. */
  readonly username: string;
  /** Whether the secret is an identity token, which no header ever carries as it is. */
  readonly isIdentityToken: boolean;
  readonly #secret: string;

  private constructor(username: string, secret: string, isIdentityToken: boolean) {
    this.username = username;
    this.#secret = secret;
    this.isIdentityToken = isIdentityToken;
  }

  /** What a user logs in with. @throws {LayerfsError} `usage` for a name with a colon (RFC 7617) */
  static password(username: string, password: string): Credentials {
    if (username.includes(":")) {
      throw new LayerfsError("usage", `Cannot log in as ${quote(username)}: a user has no colon`);
    }
    return new Credentials(username, password, false);
  }

  /** What `docker login` keeps for registries that hand one out. */
  static identityToken(token: string, username = ""): Credentials {
    return new Credentials(username, token, true);
  }

  /** The password or the token, for the two places that need it: a request, and storage. */
  reveal(): string {
    return this.#secret;
  }

  /** `user:password` in base64, of the bytes of UTF-8 (RFC 7617). */
  basic(): string {
    return new TextEncoder().encode(`${this.username}:${this.#secret}`).toBase64();
  }

  /** Every form of the secret that a registry could send back to us. */
  secrets(): string[] {
    const form = new URLSearchParams({ x: this.#secret }).toString().slice("x=".length);
    const forms = [this.#secret, encodeURIComponent(this.#secret), form];
    if (!this.isIdentityToken) forms.push(this.basic());
    return forms.filter((text) => text !== "");
  }
}

/** Characters of a secret that tell it, where a text was cut off within it. */
const HEAD = 12;

/** A text without secrets in it, nor the beginnings of any. */
export function redact(text: string, secrets: Iterable<string>): string {
  let clean = text;
  // A long one first: it may hold a shorter one.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    const head = secret.slice(0, HEAD);
    for (let at = clean.indexOf(head); at !== -1; at = clean.indexOf(head, at)) {
      let end = at + head.length;
      while (end < at + secret.length && clean[end] === secret[end - at]) end++;
      clean = `${clean.slice(0, at)}${REDACTED}${clean.slice(end)}`;
      at += REDACTED.length;
    }
  }
  return clean;
}

/** What stands in the place of a secret. */
const REDACTED = "[secret]";
