/**
 * What a WWW-Authenticate header asks for (RFC 9110, section 11.6.1).
 *
 * @example
 * ```ts
 * import { parseChallenges } from "./challenge.ts";
 *
 * const [first] = parseChallenges('Bearer realm="https://auth.example/token",service="x"');
 * console.assert(first?.scheme === "bearer" && first.parameters.get("service") === "x");
 * ```
 *
 * @module
 */

/** One way of authentication that a server offers. */
export interface Challenge {
  /** Such as "basic" or "bearer": in lowercase. */
  readonly scheme: string;
  /** By their names in lowercase; the first of equal names counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Characters of a header that are looked at; real ones have some hundred. */
const MAX_LENGTH = 8192;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`^(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`);
// A scheme, and where it has no parameters, perhaps 68 characters (token68) that nobody needs here.
const SCHEME = new RegExp(`^(${TOKEN})(?:[ \\t]+([A-Za-z0-9._~+/-]+=*)(?=[ \\t]*(?:,|$)))?`);

/** The challenges of a header, in order. What cannot be read ends the list. */
export function parseChallenges(header: string | null): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = (header ?? "").slice(0, MAX_LENGTH);
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, "");
    const parameter = PARAMETER.exec(rest);
    const current = challenges.at(-1);
    if (parameter !== null && current !== undefined) {
      const [whole, name = "", quoted, plain = ""] = parameter;
      const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
      const key = name.toLowerCase();
      if (!current.parameters.has(key)) current.parameters.set(key, value);
      rest = rest.slice(whole.length);
      continue;
    }
    const scheme = SCHEME.exec(rest);
    if (scheme === null) return challenges;
    challenges.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters: new Map() });
    rest = rest.slice(scheme[0].length);
  }
}
