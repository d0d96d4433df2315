/**
 * Images of a `docker save` archive: their configs and layers; most points are about what such an
 * archive does not have.
 *
 * @module
 */

import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { type Digest, digestProblem, parseDigest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { type ImageName, parseImageName } from "../oci/reference.ts";
import { readDocument } from "../source/document.ts";
import { checkConfig } from "./config.ts";
import type { Contents } from "./contents.ts";
import { elementsOf, memberOf, type Part, placeOf, readJson, shown } from "./json.ts";
import type { Layers } from "./layer.ts";
import type { LayerContent } from "./layer_content.ts";
import { documentName } from "./manifest.ts";

const MANIFEST = "manifest.json";
/** Names that tell the SHA-256 of what they name. */
const DIGEST_NAME = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/;

/**
 * Checks the images of an archive, or the one that is named.
 *
 * @throws {LayerfsError} `not-found` where there is none of that name; `image-invalid` for what is
 * no such archive
 */
export function checkDockerArchive(
  contents: Contents,
  layers: Layers,
  name: ImageName | undefined,
): void {
  const bytes = read(contents, MANIFEST);
  const part = bytes === null ? null : readJson(contents.report, MANIFEST, bytes);
  if (part === null || !Array.isArray(part.value)) {
    throw new LayerfsError(
      "image-invalid",
      `Cannot validate "${contents.view.files.path}": it has no "${MANIFEST}" that is a list, so ` +
        "it is no `docker save` archive",
    );
  }
  const images = elementsOf(part).filter((image) => name === undefined || isNamed(image, name));
  if (images.length === 0) {
    throw new LayerfsError(
      "not-found",
      `Cannot validate "${contents.view.files.path}": ${
        name === undefined ? "it has no image" : `it has no image ${name.repository}:${name.tag}`
      }`,
    );
  }
  for (const image of images) checkImage(contents, layers, image);
}

function isNamed(image: Part, wanted: ImageName): boolean {
  return elementsOf(memberOf(image, "RepoTags")).some(({ value }) => {
    if (typeof value !== "string") return false;
    try {
      const { host, repository, tag } = parseImageName(value);
      return host === wanted.host && repository === wanted.repository && tag === wanted.tag;
    } catch (error) {
      // What is no name has no image.
      if (error instanceof LayerfsError) return false;
      throw error;
    }
  });
}

function checkImage(contents: Contents, layers: Layers, image: Part): void {
  const { report } = contents;
  const members = elementsOf(memberOf(image, "Layers"));
  const config = memberOf(image, "Config");
  const bytes = typeof config.value === "string" ? read(contents, config.value) : null;
  if (bytes === null) report.fail(43, placeOf(config), `there is no config ${shown(config)}`);
  const digest = bytes === null ? null : digestBytes(bytes, "sha256", contents.engine);
  if (digest !== null) verifyName(contents, config, digest);
  const document = documentName("config", digest);
  const part = bytes === null ? null : readJson(report, document, bytes);
  let diffIds: readonly (Digest | null)[] = [];
  if (part !== null && bytes !== null && isObject(part.value)) {
    diffIds = checkConfig(report, part, bytes, members.length);
  } else if (part !== null) {
    report.broken(43, document, `${shown(part)} is not an object`);
  }
  const found = members.map((member, i) => readLayer(contents, layers, member, i, diffIds));
  layers.checkDiffIds(document, diffIds, found);
}

function readLayer(
  contents: Contents,
  layers: Layers,
  member: Part,
  index: number,
  diffIds: readonly (Digest | null)[],
): LayerContent | null {
  const place = placeOf(member);
  const found = typeof member.value === "string" ? contents.find(member.value) : null;
  if (found === null || "problem" in found) {
    contents.report.fail(50, place, found?.problem ?? `there is no layer ${shown(member)}`);
    return null;
  }
  const hex = DIGEST_NAME.exec(String(member.value))?.[1];
  const digest = hex === undefined ? null : parseDigest(`sha256:${hex}`);
  const diffId = diffIds[index] ?? null;
  return layers.check({ place, location: found.location, digest, diffId, index });
}

/** A config is named by its digest, as layers are in archives of Docker 25 and later. */
function verifyName(contents: Contents, name: Part, found: Digest): void {
  const named = `sha256:${DIGEST_NAME.exec(String(name.value))?.[1]}`;
  if (digestProblem(named) === null) contents.verify(parseDigest(named), found, placeOf(name));
}

/** All of a member, null where there is none that can be read. */
function read(contents: Contents, name: string): Uint8Array | null {
  const found = contents.find(name);
  if (found === null) return null;
  if ("problem" in found) {
    contents.report.fail(43, name, found.problem);
    return null;
  }
  return readDocument(found.location, name);
}
