/**
 * URIs as RFC 3986 writes them, checked part by part: one expression for the whole takes quadratic
 * time on hostile input.
 *
 * @module
 */

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const USER_INFO = /^(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)$/;
const PORT = /^[0-9]*$/;
const PATH = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/** What `value` should be if it is no URI with a scheme; null if it is one. */
export function uriProblem(value: unknown): string | null {
  const expected = "a URI (RFC 3986)";
  const scheme = typeof value === "string" ? SCHEME.exec(value) : null;
  if (scheme === null) return expected;
  const [beforeFragment, fragment] = cut(scheme.input.slice(scheme[0].length), "#");
  const [hierarchy, query] = cut(beforeFragment, "?");
  const [authority, path] = hierarchy.startsWith("//")
    ? splitAuthority(hierarchy.slice(2))
    : [null, hierarchy];
  const right = QUERY.test(fragment) && QUERY.test(query) && PATH.test(path) &&
    (authority === null || isAuthority(authority));
  return right ? null : expected;
}

function splitAuthority(text: string): [string, string] {
  const slash = text.indexOf("/");
  return slash === -1 ? [text, ""] : [text.slice(0, slash), text.slice(slash)];
}

function isAuthority(authority: string): boolean {
  const at = authority.lastIndexOf("@");
  const place = authority.slice(at + 1);
  const colon = place.lastIndexOf(":");
  // A colon within brackets is part of an IPv6 address.
  const hasPort = colon > place.lastIndexOf("]") && colon !== -1;
  const host = hasPort ? place.slice(0, colon) : place;
  return (at === -1 || USER_INFO.test(authority.slice(0, at))) && HOST.test(host) &&
    (!hasPort || PORT.test(place.slice(colon + 1)));
}

/** What stands before and behind the first `mark`. */
function cut(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
