/**
 * Errors of registries: which registry and repository, which request, what came back, what to do.
 *
 * @module
 */

import { type ErrorCode, type ErrorData, LayerfsError, printable } from "../errors.ts";
import { isObject } from "../oci/fields.ts";
import type { NetworkFailure } from "./network_failure.ts";

/** A request, as errors name it. */
export interface RequestName {
  /** What was to be done, such as `Cannot read manifest "latest"`. */
  readonly action: string;
  /** Such as "GET". */
  readonly method: string;
  /** Where it went, redirects followed. */
  readonly url: URL;
}

/** The registry and the repository that a request is about, as the user knows them. */
export interface Place {
  /** Host and perhaps port, "docker.io" for Docker Hub. */
  readonly host: string;
  /** Where it really is, such as "https://registry-1.docker.io"; https until it is found otherwise. */
  origin: string;
  /** "" where the request is about the registry itself. */
  readonly repository: string;
  /** Takes the secrets that the registry was told out of what it says. */
  readonly redact: (text: string) => string;
}

/** Messages of one error that are shown, and characters of each. */
const MAX_MESSAGES = 3;
const MAX_MESSAGE_LENGTH = 200;

/**
 * An error about a request. What it may show of URLs is never their query.
 *
 * @param state what came back: secrets are taken out of it
 * @param advice what to do, in our own words, which stay whole: a gap there would tell the password
 */
export function registryError(
  code: ErrorCode,
  place: Place,
  { action, method, url }: RequestName,
  state: string,
  data: ErrorData = {},
  advice = "",
): LayerfsError {
  // A redirect leads to hosts that nobody has heard of, so those are named.
  const path = `${
    url.origin === place.origin ? "" : `${url.protocol}//${url.host}`
  }${url.pathname}`;
  const request = place.redact(`${method} ${path}`).slice(0, 400);
  const name = place.repository === ""
    ? `to ${place.host}`
    : `of ${place.host}/${place.repository}`;
  const message = `${action} ${name}: ${request}: ${place.redact(state)}`;
  return new LayerfsError(code, advice === "" ? message : `${message}; ${advice}`, {
    registry: place.host,
    ...(place.repository === "" ? {} : { repository: place.repository }),
    request,
    ...Object.fromEntries(
      Object.entries(data).map((
        [key, value],
      ) => [key, typeof value === "string" ? place.redact(value) : value]),
    ),
  });
}

/** The error for a request that no answer came to. */
export function unreachable(
  place: Place,
  request: RequestName,
  { trouble, message }: NetworkFailure,
): LayerfsError {
  const advice = {
    certificate:
      "give its authority's certificate by --cert-dir, or take any by --tls-verify=false",
    "not-tls": "if it speaks plain HTTP, add --tls-verify=false",
    timeout: "",
    connection: "",
  }[trouble];
  return registryError("unreachable", place, request, message, {}, advice);
}

/** The code of an error for a status that was not wanted. */
export function statusCode(status: number): ErrorCode {
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "not-found";
  return isTransient(status) ? "unreachable" : "registry-invalid";
}

/** Whether a request may succeed when it is tried again. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/**
 * What a registry says of an error: its codes and messages (distribution-spec, "Error Codes"), or
 * that it sent a web page.
 *
 * @returns "" where it says nothing that can be shown
 */
export function errorText(place: Place, body: string, contentType: string | null): string {
  const page = /^\s*<(!doctype|html)/i.test(body);
  if (page || contentType?.startsWith("text/html")) {
    return "it answers with a web page, so it may be no registry, or a proxy is in between";
  }
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return shorten(place.redact(body.trim().split("\n", 1)[0] ?? ""));
  }
  if (!isObject(document)) return "";
  // Token servers have one error: Docker's "details", OAuth2's "error_description".
  const single = document.details ?? document.error_description ?? document.error;
  const errors = Array.isArray(document.errors) ? document.errors : [{ message: single }];
  return errors.slice(0, MAX_MESSAGES).flatMap((error: unknown) => {
    if (!isObject(error)) return [];
    const words = [error.code, error.message].filter((word) =>
      typeof word === "string" && word !== ""
    );
    return words.length === 0 ? [] : [shorten(place.redact(words.join(": ")))];
  }).join("; ");
}

/** The codes of the distribution spec in an error's body. */
export function errorCodes(body: string): string[] {
  try {
    const document: unknown = JSON.parse(body);
    if (!isObject(document) || !Array.isArray(document.errors)) return [];
    return document.errors.flatMap((error: unknown) =>
      isObject(error) && typeof error.code === "string" ? [error.code] : []
    );
  } catch {
    // No JSON, so no codes.
    return [];
  }
}

function shorten(text: string): string {
  return printable(
    text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…` : text,
  );
}
