/**
 * Points 38 to 40 and 42: indexes, and the way through them.
 *
 * @module
 */

import { MAX_INDEX_DEPTH, MAX_INDEX_ENTRIES } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import type { Contents } from "./contents.ts";
import { checkDescriptor, type Container, type Target } from "./descriptor.ts";
import {
  checkAnnotations,
  elementsOf,
  memberOf,
  type Part,
  placeOf,
  readJson,
  shown,
} from "./json.ts";
import { checkSubject, checkType, documentName, type Manifests } from "./manifest.ts";

/** Checks indexes and everything below them, each document once. */
export class Indexes {
  readonly #contents: Contents;
  readonly #manifests: Manifests;
  readonly #visited = new Set<Digest>();
  /** Indexes that are being read: naming one of them again is a cycle. */
  readonly #open = new Set<Digest>();
  #entries = 0;

  constructor(contents: Contents, manifests: Manifests) {
    this.#contents = contents;
    this.#manifests = manifests;
  }

  /** Checks an index, not what it points at; gives its descriptors. */
  check(part: Part, expected: string | null, within: Container): Target[] {
    const { report } = this.#contents;
    checkType(report, part, expected, isIndex, ["config", "layers", "fsLayers"]);
    checkAnnotations(report, part, "annotations");
    checkSubject(report, part);
    const manifests = memberOf(part, "manifests");
    report.looked(39, "indexes");
    if (!Array.isArray(manifests.value)) {
      report.broken(39, placeOf(manifests), `${shown(manifests)} is not an array`);
    }
    return elementsOf(manifests).flatMap((element) => {
      const target = checkDescriptor(report, element, within);
      if (target !== null) return [target];
      report.broken(39, placeOf(element), `${shown(element)} is not a descriptor`);
      return [];
    });
  }

  /** Checks what a descriptor of an index points at, and everything below. */
  follow(target: Target, depth: number): void {
    const { report } = this.#contents;
    const { digest, mediaType, place } = target;
    if (!isManifest(mediaType) && !isIndex(mediaType)) {
      report.looked(10, `descriptors of type "${mediaType}"`);
      return;
    }
    if (digest === null) return;
    if (this.#open.has(digest)) {
      report.fail(40, place, `the index ${digest} is within itself`);
    }
    if (this.#visited.has(digest)) {
      // Another descriptor of the same content may be wrong on its own.
      this.#contents.locate(target);
      return;
    }
    this.#visited.add(digest);
    if (++this.#entries > MAX_INDEX_ENTRIES) {
      if (this.#entries === MAX_INDEX_ENTRIES + 1) {
        report.fail(40, place, `there are more than ${MAX_INDEX_ENTRIES} documents`);
      }
      return;
    }
    const bytes = this.#contents.document(target);
    if (bytes !== null) this.#read(target, bytes, depth);
  }

  #read(target: Target, bytes: Uint8Array, depth: number): void {
    const { report } = this.#contents;
    const { digest, mediaType, place } = target;
    const kind = isIndex(mediaType) ? "index" : "manifest";
    const part = readJson(report, documentName(kind, digest), bytes);
    if (part === null) return;
    if (kind === "manifest") {
      this.#manifests.check(part, mediaType);
      return;
    }
    report.looked(40, "nested indexes");
    if (depth > MAX_INDEX_DEPTH) {
      report.fail(40, place, `indexes are nested deeper than ${MAX_INDEX_DEPTH} levels`);
      return;
    }
    if (digest !== null) this.#open.add(digest);
    for (const entry of this.check(part, mediaType, "index")) this.follow(entry, depth + 1);
    if (digest !== null) this.#open.delete(digest);
  }
}
