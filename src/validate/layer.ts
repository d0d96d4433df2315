/**
 * Points 34, 35, 45 and 50 to 57: layers, each read once.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, isSupported } from "../oci/digest.ts";
import { parseLayerMediaType } from "../oci/media_type.ts";
import { quote } from "../oci/strict_json.ts";
import type { Contents } from "./contents.ts";
import type { Target } from "./descriptor.ts";
import { type LayerContent, readLayer, type Tally } from "./layer_content.ts";
import type { Report } from "./report.ts";

/** A layer that is to be checked. */
export interface Layer {
  /** Where its descriptor is, for rows. */
  readonly place: string;
  readonly location: BlobLocation;
  /** Of its blob, where something says it. */
  readonly digest: Digest | null;
  /** What the config says; null where that cannot be used. */
  readonly diffId: Digest | null;
  /** 0 for the base. */
  readonly index: number;
}

/** Checks layers, and remembers those that several images share. */
export class Layers {
  readonly #contents: Contents;
  readonly #known = new Map<string, LayerContent>();

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  /** Point 35: the media type, against the bytes. */
  checkMediaType(target: Target, content: LayerContent | null): void {
    const { report } = this.#contents;
    const { mediaType, place } = target;
    const type = parseLayerMediaType(mediaType);
    report.looked(35, "layers");
    if (type === undefined) {
      report.warn(35, place, `mediaType ${quote(mediaType)} is not that of a tar layer`);
    } else if (content !== null && content.compression !== type.compression) {
      report.broken(
        35,
        place,
        `mediaType ${quote(mediaType)} means compression "${type.compression}", found ` +
          `"${content.compression}"`,
      );
    }
  }

  /** Reads a layer and checks its content; what it is, is for the other points. */
  check(layer: Layer): LayerContent {
    const { report, engine } = this.#contents;
    const { digest, diffId, place } = layer;
    const blob: DigestAlgorithm = digest === null ? "sha256" : digestAlgorithm(digest);
    const diff = diffId !== null && isSupported(diffId) ? digestAlgorithm(diffId) : "sha256";
    const key = `${layer.location.path} ${layer.location.offset} ${blob} ${diff}`;
    const known = this.#known.get(key);
    const content = known ?? readLayer(layer.location, { blob, diff }, engine);
    if (known === undefined) {
      this.#known.set(key, content);
      if (digest !== null) this.#contents.verify(digest, content.blobDigest, place);
      reportEntries(report, place, content);
    }
    if (layer.index === 0 && content.linksBelow.count > 0) {
      const { first } = content.linksBelow;
      report.fail(56, place, `the hard link ${quote(first)} has no target in this base layer`);
    }
    return content;
  }

  /** Points 34 and 45: the diffIDs of a whole stack; null for layers that could not be read. */
  checkDiffIds(
    document: string,
    diffIds: readonly (Digest | null)[],
    contents: readonly (LayerContent | null)[],
  ): void {
    const { report } = this.#contents;
    const found = contents.map((content) => content?.diffId ?? null);
    const usable = found.filter((digest) => digest !== null);
    if (usable.length > 0) report.looked(34, "layers", usable.length);
    const wrong = diffIds.flatMap((diffId, i) => {
      const actual = found[i] ?? null;
      if (diffId === null || actual === null || !isSupported(diffId)) return [];
      report.looked(45, "layers");
      return diffId === actual ? [] : [{ i, diffId, actual }];
    });
    for (const { i, diffId, actual } of wrong) {
      report.broken(
        45,
        `${document} rootfs.diff_ids[${i}]`,
        `${diffId} is not that of layer ${i}, ${actual}`,
      );
    }
    // The right diffIDs in the wrong places: one stack is upside down, or mixed up.
    const swapped = wrong.length > 1 && wrong.every(({ diffId }) => found.includes(diffId));
    if (!swapped) return;
    report.broken(34, document, "the layers stand in another order than their diffIDs");
  }
}

/** Points 50 to 57. */
function reportEntries(report: Report, place: string, content: LayerContent): void {
  const { compressionProblem, tarProblem } = content;
  report.looked(50, "layers");
  if (compressionProblem !== null) report.broken(50, place, compressionProblem);
  if (tarProblem !== null) reportTarProblem(report, place, tarProblem);
  tell(report.broken.bind(report), 50, place, content.duplicates, "paths stand in it twice");
  tell(report.fail.bind(report), 52, place, content.oddWhiteouts, "whiteouts are no empty file");
  tell(
    report.warn.bind(report),
    55,
    place,
    content.replaced,
    "entries take the place of a directory of the same layer",
  );
  tell(report.broken.bind(report), 57, place, content.sparse, "files are sparse");
  report.looked(51, "entries", content.entries);
  report.looked(55, "entries", content.entries);
  report.looked(56, "entries", content.entries);
  count(report, 56, content.hardlinks, "hard links");
  count(report, 56, content.xattrs, "entries with xattrs");
  count(report, 52, content.whiteouts, "whiteouts");
  count(report, 52, content.reserved, "reserved names");
  count(report, 53, content.whiteouts, "whiteouts");
  count(report, 53, content.whiteoutsBeside, "beside an entry that they do not hide");
  count(report, 54, content.opaque, "opaque whiteouts");
  report.looked(57, "entries", content.entries);
}

/** The scanner stops at the first entry that it refuses. */
function reportTarProblem(report: Report, place: string, problem: string): void {
  if (problem.includes('whiteout ".wh."') || problem.includes("a whiteout hides")) {
    // "A `.wh.` file, without a basename to delete, is invalid" (layer.md).
    report.fail(51, place, problem);
  } else if (problem.includes("below a whiteout")) {
    report.fail(52, place, problem);
  } else {
    report.broken(50, place, problem);
  }
}

function tell(
  add: (id: number, place: string, detail: string) => void,
  id: number,
  place: string,
  { count, first }: Tally,
  what: string,
): void {
  if (count > 0) add(id, place, `${count} ${what}, the first is ${quote(first)}`);
}

function count(report: Report, id: number, tally: Tally, what: string): void {
  if (tally.count > 0) report.looked(id, what, tally.count);
}
