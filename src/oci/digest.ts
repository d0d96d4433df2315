/**
 * Digests: `algorithm:encoded`, kept as strings that have been checked (image-spec descriptor.md,
 * "Digests").
 *
 * @example
 * ```ts
 * import { digestHex, isSupported, parseDigest } from "./digest.ts";
 *
 * const digest = parseDigest("sha256:" + "0".repeat(64));
 * console.assert(isSupported(digest) && digestHex(digest).length === 64);
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { quote } from "./strict_json.ts";

/** The algorithms that layerfs computes. */
export type DigestAlgorithm = "sha256" | "sha512";

/**
 * A string of the digest grammar; registered algorithms have their exact length in lowercase. The
 * member exists for the type checker only: it keeps other strings out.
 */
export type Digest = string & { readonly __digest: true };

// Every algorithm component is followed by a separator or the colon, so there is one way to match
// and the time is linear.
const GRAMMAR = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/;
const LOWERCASE_HEX = /^[0-9a-f]*$/;

/** Hex digits of each registered algorithm (blake3 is newer than image-spec v1.1.1). */
const HEX_DIGITS: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
  ["blake3", 64],
]);

/** What `value` should be if it is no digest; null if it is one, of a known algorithm or not. */
export function digestProblem(value: unknown): string | null {
  if (typeof value !== "string") return 'a digest, "algorithm:encoded"';
  const colon = value.indexOf(":");
  const digits = HEX_DIGITS.get(value.slice(0, colon));
  if (digits === undefined) {
    return GRAMMAR.test(value) ? null : 'a digest, "algorithm:encoded"';
  }
  const right = value.length === colon + 1 + digits && LOWERCASE_HEX.test(value.slice(colon + 1));
  return right ? null : `"${value.slice(0, colon)}:" and ${digits} lowercase hex digits`;
}

/**
 * Checks a digest. Unknown algorithms pass: a descriptor may name content that is never read.
 *
 * @throws {LayerfsError} `image-invalid`
 */
export function parseDigest(text: string): Digest {
  const expected = digestProblem(text);
  if (expected === null) return text as Digest;
  throw new LayerfsError("image-invalid", `Cannot read digest: ${quote(text)} is not ${expected}`);
}

/** The part before the colon, whatever it is. */
export function algorithmName(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

/** Whether layerfs can verify content by this digest. */
export function isSupported(digest: Digest): boolean {
  const name = algorithmName(digest);
  return name === "sha256" || name === "sha512";
}

/**
 * The algorithm of a digest whose content is about to be read.
 *
 * @throws {LayerfsError} `unsupported` for an algorithm that layerfs does not compute
 */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  const name = algorithmName(digest);
  if (name === "sha256" || name === "sha512") return name;
  throw new LayerfsError(
    "unsupported",
    `Cannot verify ${digest}: the algorithm is "${name}"; layerfs knows sha256 and sha512`,
    { digest },
  );
}

/** The part after the colon: hex digits for the registered algorithms. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}
