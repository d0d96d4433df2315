/**
 * `layerfs validate`: looks at every point of the image specification in an image, or in a whole
 * layout, and goes on after failures. One row for each point.
 *
 * @example
 * ```ts ignore
 * import { validateImage } from "./validate.ts";
 *
 * const { valid, points } = await validateImage("oci:images:debian");
 * for (const { id, outcome, rule, where, detail } of points) {
 *   if (outcome === "fail") throw new Error(`${id} ${rule}: ${where}: ${detail}`);
 * }
 * ```
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { isIndex, isManifest, OCI_INDEX, OCI_MANIFEST } from "../oci/media_type.ts";
import {
  type DockerArchiveReference,
  type LayoutReference,
  parseReference,
  type Reference,
} from "../oci/reference.ts";
import { openSource, type SourcePlaces } from "../source/open.ts";
import { readGraph } from "../transfer/graph.ts";
import { LayoutSink } from "../transfer/layout_sink.ts";
import { Contents } from "./contents.ts";
import type { Target } from "./descriptor.ts";
import { checkDockerArchive } from "./docker_archive.ts";
import { Indexes } from "./index.ts";
import { memberOf, readJson } from "./json.ts";
import { Layers } from "./layer.ts";
import { checkBlobs, checkLayoutFiles, INDEX_FILE } from "./layout.ts";
import { Manifests } from "./manifest.ts";
import { type Point, Report } from "./report.ts";
import { viewArchive, viewDirectory } from "./view.ts";

export type { Level } from "./points.ts";
export type { Outcome, Point } from "./report.ts";

/** What `layerfs validate --json` prints. */
export interface Validation {
  /** As it was given. */
  readonly reference: string;
  /** No point has the outcome "fail". */
  readonly valid: boolean;
  /** All points, by their numbers. */
  readonly points: readonly Point[];
}

/**
 * Validates an image of every platform that it has. Without a tag or digest, all of a layout or
 * archive is looked at, blobs that nothing refers to included.
 *
 * @param engine what computes the digests
 * An image of a registry is copied into a temporary directory first, where what is not the content
 * that its digest says ends the validation with that error.
 *
 * @throws {LayerfsError} `not-found` where there is nothing to validate, `usage` for a malformed
 * reference, `image-invalid` for a file that is no archive at all
 */
export async function validateImage(
  reference: string,
  engine: DigestEngine = "wasm",
  places: SourcePlaces = {},
): Promise<Validation> {
  const parsed = parseReference(reference);
  const report = new Report();
  switch (parsed.transport) {
    case "oci":
    case "oci-archive":
      report.skip([62], "no registry is asked");
      validateLayout(parsed, report, engine);
      break;
    case "docker-archive":
      report.skip([62], "no registry is asked");
      validateDockerArchive(parsed, report, engine);
      break;
    default:
      await validateCopy(parsed, report, engine, places);
  }
  const points = report.points();
  return { reference, valid: points.every(({ outcome }) => outcome !== "fail"), points };
}

/** An image of a registry, or of a store, with the index that lists it: as a layout of its own. */
async function validateCopy(
  reference: Reference,
  report: Report,
  engine: DigestEngine,
  places: SourcePlaces,
): Promise<void> {
  // What the registry sends is what is judged, not what the store has.
  const { store: _, ...elsewhere } = places;
  await using source = await openSource(
    reference,
    reference.transport === "docker" ? elsewhere : places,
  );
  if (source.kind !== "oci") throw new TypeError("archives are read where they are");
  const graph = await readGraph(source, { all: true });
  const path = Deno.makeTempDirSync({ prefix: "layerfs-validate-" });
  try {
    const layout = { transport: "oci", path } as const;
    await new LayoutSink(layout).write(graph, { engine });
    if (source.registry === null) report.skip([62], "no registry is asked");
    else report.looked(62, "document by its digest", graph.documents.length);
    validateLayout(layout, report, engine);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

function validateLayout(reference: LayoutReference, report: Report, engine: DigestEngine): void {
  const { transport, path, tag, digest } = reference;
  const view = transport === "oci" ? viewDirectory(path) : viewArchive(path);
  const contents = new Contents(view, report, engine);
  const indexes = new Indexes(contents, new Manifests(contents, new Layers(contents)));
  const index = checkLayoutFiles(contents);
  if (index !== null) {
    const entries = indexes.check(index, OCI_INDEX, "index.json");
    for (const target of choose(entries, reference, contents)) indexes.follow(target, 1);
  }
  checkBlobs(contents, tag === undefined && digest === undefined);
}

/** The entries of index.json that the reference means: all, where it names none. */
function choose(
  entries: readonly Target[],
  reference: LayoutReference,
  contents: Contents,
): readonly Target[] {
  const { path, tag, digest } = reference;
  if (tag === undefined && digest === undefined) return entries;
  const chosen = entries.filter((entry) =>
    digest === undefined ? entry.refName === tag : entry.digest === digest
  );
  if (chosen.length > 0) return chosen;
  if (digest !== undefined) {
    const nested = findNested(reference, contents);
    if (nested !== null) return [nested];
  }
  const wanted = digest ?? `tag "${tag}"`;
  throw new LayerfsError(
    "not-found",
    `Cannot validate ${wanted} in "${path}": ${INDEX_FILE} has no such entry`,
    { path },
  );
}

/** A document that only an index within names: its own content tells what it is. */
function findNested({ digest }: LayoutReference, contents: Contents): Target | null {
  if (digest === undefined) return null;
  const plain = { place: digest, digest, size: null, data: null, refName: null };
  // Points are counted when it is followed, so this look goes unreported.
  const silent = new Contents(contents.view, new Report(), contents.engine);
  const bytes = silent.document({ ...plain, mediaType: "" });
  if (bytes === null) return null;
  const part = readJson(silent.report, "", bytes) ?? { document: "", path: "", value: null };
  const type = memberOf(part, "mediaType").value;
  if (typeof type === "string" && (isIndex(type) || isManifest(type))) {
    return { ...plain, mediaType: type };
  }
  const hasManifests = memberOf(part, "manifests").value !== undefined;
  return { ...plain, mediaType: hasManifests ? OCI_INDEX : OCI_MANIFEST };
}

/** Points that are about layouts, descriptors, manifests, indexes and annotations. */
const NOT_IN_DOCKER_ARCHIVES = [
  ...Array.from({ length: 12 }, (_, i) => i + 1),
  ...Array.from({ length: 24 }, (_, i) => i + 19),
  ...[58, 59, 61],
];

function validateDockerArchive(
  reference: DockerArchiveReference,
  report: Report,
  engine: DigestEngine,
): void {
  const view = viewArchive(reference.path);
  const contents = new Contents(view, report, engine);
  report.skip(NOT_IN_DOCKER_ARCHIVES, "a docker-archive has no layout, descriptors or manifests");
  checkDockerArchive(contents, new Layers(contents), reference.name);
}
