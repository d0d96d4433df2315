/**
 * Points 28 to 37 and 61: the manifest, with what it points at.
 *
 * @module
 */

import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { isConfig, isManifest, OCI_EMPTY, parseLayerMediaType } from "../oci/media_type.ts";
import { checkConfig } from "./config.ts";
import type { Contents } from "./contents.ts";
import { checkDescriptor, type Target } from "./descriptor.ts";
import {
  checkAnnotations,
  elementsOf,
  isAbsent,
  memberOf,
  type Part,
  placeOf,
  readJson,
  shown,
} from "./json.ts";
import type { Layers } from "./layer.ts";
import type { LayerContent } from "./layer_content.ts";
import type { Report } from "./report.ts";

/** A document's name in rows: its kind and the beginning of its digest. */
export function documentName(kind: string, digest: Digest | null): string {
  return digest === null ? kind : `${kind} ${digest.slice(0, digest.indexOf(":") + 13)}`;
}

/**
 * Points 28, 29 and 61 for a manifest, 38, 42 and 61 for an index: version and type.
 *
 * @param expected type that the descriptor names; null where there is no descriptor
 * @param foreign members that make the document readable as another type (CVE-2021-41190)
 */
export function checkType(
  report: Report,
  part: Part,
  expected: string | null,
  known: (mediaType: string) => boolean,
  foreign: readonly string[],
): void {
  const manifest = known === isManifest;
  const version = memberOf(part, "schemaVersion");
  report.looked(manifest ? 28 : 38, "documents");
  if (version.value !== 2) {
    report.broken(manifest ? 28 : 38, placeOf(version), `${shown(version)} is not 2`);
  }
  const type = memberOf(part, "mediaType");
  report.looked(61, "documents");
  if (!isAbsent(type)) {
    const id = manifest ? 29 : 42;
    report.looked(id, "documents");
    const wanted = expected !== null && known(expected) ? [expected] : [];
    if (typeof type.value !== "string" || !known(type.value)) {
      report.broken(id, placeOf(type), `${shown(type)} is not the type of this document`);
    } else if (wanted.length > 0 && !wanted.includes(type.value)) {
      report.broken(id, placeOf(type), `${shown(type)} is not "${expected}", as announced`);
      report.broken(61, placeOf(type), `the document is ${shown(type)}, not "${expected}"`);
    }
  }
  for (const name of foreign) {
    const member = memberOf(part, name);
    if (isAbsent(member)) continue;
    report.fail(61, placeOf(member), `the document could be read as another type by "${name}"`);
  }
}

/** Checks manifests and what they point at. */
export class Manifests {
  readonly #contents: Contents;
  readonly #layers: Layers;

  constructor(contents: Contents, layers: Layers) {
    this.#contents = contents;
    this.#layers = layers;
  }

  check(part: Part, expected: string | null): void {
    const { report } = this.#contents;
    checkType(report, part, expected, isManifest, ["manifests", "fsLayers"]);
    checkAnnotations(report, part, "annotations");
    const config = this.#config(part);
    const layers = this.#descriptors(part);
    checkSubject(report, part);
    if (config === null) return;
    const image = isConfig(config.mediaType);
    const diffIds = image ? this.#readConfig(config, layers.length) : [];
    const contents = layers.map((layer, i) =>
      image ? this.#readLayer(layer, i, diffIds[i] ?? null) : this.#readOther(layer)
    );
    this.#layers.checkDiffIds(documentName("config", config.digest), diffIds, contents);
  }

  /** Points 30, 31 and 36. */
  #config(part: Part): Target | null {
    const { report } = this.#contents;
    report.looked(30, "manifests");
    const member = memberOf(part, "config");
    const config = checkDescriptor(report, member, "manifest");
    if (config === null) {
      report.broken(30, placeOf(member), `${shown(member)} is not a descriptor`);
      return null;
    }
    if (isConfig(config.mediaType)) return config;
    report.looked(31, `configs of type "${config.mediaType}", not parsed`);
    if (config.mediaType === OCI_EMPTY) {
      report.looked(36, "manifests");
      const artifactType = memberOf(part, "artifactType");
      if (isAbsent(artifactType) || artifactType.value === "") {
        report.broken(36, placeOf(artifactType), `${shown(artifactType)}, the config is empty`);
      }
    }
    this.#contents.document(config);
    return config;
  }

  /** Points 32 and 33. */
  #descriptors(part: Part): Target[] {
    const { report } = this.#contents;
    const member = memberOf(part, "layers");
    report.looked(33, "manifests");
    if (!Array.isArray(member.value) || member.value.length === 0) {
      report.broken(33, placeOf(member), `${shown(member)} has no layer`);
    }
    return elementsOf(member).flatMap((element) => {
      const target = checkDescriptor(report, element, "manifest");
      if (target === null) {
        report.broken(30, placeOf(element), `${shown(element)} is not a descriptor`);
        return [];
      }
      if (parseLayerMediaType(target.mediaType) === undefined) {
        report.looked(32, `layers of type "${target.mediaType}"`);
      }
      return [target];
    });
  }

  #readConfig(config: Target, layers: number): readonly (Digest | null)[] {
    const { report } = this.#contents;
    const bytes = this.#contents.document(config);
    if (bytes === null) return [];
    const part = readJson(report, documentName("config", config.digest), bytes);
    if (part === null) return [];
    if (isObject(part.value)) return checkConfig(report, part, bytes, layers);
    report.broken(43, part.document, `${shown(part)} is not an object`);
    return [];
  }

  #readLayer(target: Target, index: number, diffId: Digest | null): LayerContent | null {
    const location = this.#contents.locate(target);
    const content = location === null ? null : this.#layers.check({
      place: target.place,
      location,
      digest: target.digest,
      diffId,
      index,
    });
    this.#layers.checkMediaType(target, content);
    return content;
  }

  /** A blob of an artifact: what it holds is not for us to say, its digest is. */
  #readOther(target: Target): null {
    const location = this.#contents.locate(target);
    if (location !== null && target.digest !== null) {
      this.#contents.verifyBlob(target.digest, location, target.place);
    }
    return null;
  }
}

/** Point 37, of manifests and indexes. */
export function checkSubject(report: Report, part: Part): void {
  const subject = memberOf(part, "subject");
  if (isAbsent(subject)) return;
  report.looked(37, "subjects");
  if (checkDescriptor(report, subject, "manifest") !== null) return;
  report.broken(37, placeOf(subject), `${shown(subject)} is not a descriptor`);
}
