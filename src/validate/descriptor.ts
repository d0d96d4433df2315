/**
 * Points 11 to 20, 23, 24, 26, 27 and 41: descriptors, without their content.
 *
 * @module
 */

import { base64Problem, REF_NAME } from "../oci/descriptor.ts";
import { algorithmName, type Digest, digestProblem, isSupported } from "../oci/digest.ts";
import { isObject, isSize, SIZE } from "../oci/fields.ts";
import { isManifest, mediaTypeProblem } from "../oci/media_type.ts";
import {
  checkAnnotations,
  elementsOf,
  isAbsent,
  memberOf,
  type Part,
  placeOf,
  shown,
} from "./json.ts";
import type { Report } from "./report.ts";
import { uriProblem } from "./uri.ts";

/** What a descriptor points at, as far as the descriptor is right. */
export interface Target {
  /** Where the descriptor is, for rows. */
  readonly place: string;
  /** "" where it is no string. */
  readonly mediaType: string;
  /** Null where it is malformed. */
  readonly digest: Digest | null;
  /** Null where it is no size. */
  readonly size: number | null;
  /** Embedded content, null where there is none that can be decoded. */
  readonly data: Uint8Array | null;
  /** Its tag. */
  readonly refName: string | null;
}

/** What a descriptor stands in; index.json is an index, too. */
export type Container = "index.json" | "index" | "manifest";

/** The exact form of each registered algorithm has a point of its own. */
const ALGORITHM_POINTS: ReadonlyMap<string, number> = new Map([
  ["sha256", 14],
  ["sha512", 15],
  ["blake3", 16],
]);

// annotations.md, org.opencontainers.image.ref.name.
const REF_NAME_GRAMMAR =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/** Checks a descriptor; null where the part is no object. */
export function checkDescriptor(report: Report, part: Part, within: Container): Target | null {
  if (!isObject(part.value)) return null;
  checkMediaType(report, memberOf(part, "mediaType"), 12);
  checkMediaType(report, memberOf(part, "artifactType"), 26);
  checkUrls(report, part);
  checkAnnotations(report, part, "annotations");
  if (within !== "manifest") checkPlatform(report, part);
  const mediaType = memberOf(part, "mediaType").value;
  return {
    place: placeOf(part),
    mediaType: typeof mediaType === "string" ? mediaType : "",
    digest: checkDigest(report, memberOf(part, "digest")),
    size: checkSize(report, memberOf(part, "size")),
    data: checkData(report, memberOf(part, "data")),
    refName: checkRefName(report, part, within),
  };
}

function checkMediaType(report: Report, part: Part, id: 12 | 26): void {
  if (id === 26 && isAbsent(part)) return;
  report.looked(id, id === 12 ? "descriptors" : "artifact types");
  const expected = mediaTypeProblem(part.value);
  if (expected !== null) report.broken(id, placeOf(part), `${shown(part)} is not ${expected}`);
}

/** Points 13 to 17. */
export function checkDigest(report: Report, part: Part): Digest | null {
  report.looked(13, "digests");
  const { value } = part;
  const expected = digestProblem(value);
  const name = typeof value === "string" ? value.slice(0, value.indexOf(":")) : "";
  const id = ALGORITHM_POINTS.get(name);
  if (id !== undefined) report.looked(id, "digests");
  if (expected !== null) {
    report.broken(id ?? 13, placeOf(part), `${shown(part)} is not ${expected}`);
    return null;
  }
  const digest = value as Digest;
  if (!isSupported(digest)) report.looked(17, `digests of ${algorithmName(digest)}`);
  return digest;
}

function checkSize(report: Report, part: Part): number | null {
  report.looked(19, "sizes");
  if (isSize(part.value)) {
    report.looked(20, "sizes");
    return part.value;
  }
  const negative = typeof part.value === "number" && part.value < 0;
  report.broken(negative ? 20 : 19, placeOf(part), `${shown(part)} is not ${SIZE}`);
  return null;
}

function checkUrls(report: Report, part: Part): void {
  const urls = memberOf(part, "urls");
  if (isAbsent(urls)) return;
  if (!Array.isArray(urls.value)) {
    report.broken(23, placeOf(urls), `${shown(urls)} is not an array`);
  }
  for (const url of elementsOf(urls)) {
    report.looked(23, "urls");
    const expected = uriProblem(url.value);
    if (expected !== null) report.broken(23, placeOf(url), `${shown(url)} is not ${expected}`);
  }
}

function checkData(report: Report, part: Part): Uint8Array | null {
  if (isAbsent(part)) return null;
  report.looked(24, "embedded contents");
  const expected = base64Problem(part.value);
  if (expected === null) return Uint8Array.fromBase64(String(part.value));
  report.broken(24, placeOf(part), `${shown(part)} is not ${expected}`);
  return null;
}

/** Points 27 and 41. */
function checkPlatform(report: Report, part: Part): void {
  const platform = memberOf(part, "platform");
  if (isAbsent(platform)) {
    if (!isManifest(String(memberOf(part, "mediaType").value))) return;
    report.looked(27, "descriptors of manifests");
    report.broken(27, placeOf(part), "there is no platform");
    return;
  }
  report.looked(27, "descriptors of manifests");
  report.looked(41, "platforms");
  for (const name of ["architecture", "os"]) {
    const member = memberOf(platform, name);
    if (typeof member.value === "string" && member.value !== "") continue;
    report.broken(41, placeOf(member), `${shown(member)} is not the name of a platform`);
  }
}

/** Point 11. */
function checkRefName(report: Report, part: Part, within: Container): string | null {
  const name = memberOf(memberOf(part, "annotations"), REF_NAME);
  if (typeof name.value !== "string") return null;
  report.looked(11, "names");
  if (within !== "index.json") {
    report.broken(11, placeOf(name), "the name has no meaning outside of index.json");
  } else if (!REF_NAME_GRAMMAR.test(name.value)) {
    report.broken(11, placeOf(name), `${shown(name)} does not match the grammar of names`);
  }
  return name.value;
}
