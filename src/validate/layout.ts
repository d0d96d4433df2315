/**
 * Points 1 to 9: the files of an image layout.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import { type Digest, digestProblem, isSupported, parseDigest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { readDocument } from "../source/document.ts";
import { blobName, type Contents } from "./contents.ts";
import { memberOf, type Part, placeOf, readJson, shown } from "./json.ts";

const VERSION_FILE = "oci-layout";
/** The file where all of a layout begins. */
export const INDEX_FILE = "index.json";

/** Points 1 to 4: checks a layout's own files; gives its index.json, null where it has none. */
export function checkLayoutFiles(contents: Contents): Part | null {
  const { report, view } = contents;
  report.looked(3, "layouts");
  if (!view.hasDirectory("blobs")) report.broken(3, "blobs", "there is no such directory");
  checkVersion(contents);
  const index = readFile(contents, INDEX_FILE, 4);
  if (index === null || isObject(index.value)) return index;
  report.broken(4, INDEX_FILE, `${shown(index)} is not an object`);
  return null;
}

/** Points 1 and 2. */
function checkVersion(contents: Contents): void {
  const { report } = contents;
  const part = readFile(contents, VERSION_FILE, 1);
  if (part === null) return;
  if (!isObject(part.value)) {
    report.broken(1, VERSION_FILE, `${shown(part)} is not an object`);
    return;
  }
  const version = memberOf(part, "imageLayoutVersion");
  report.looked(2, "layouts");
  if (version.value === "1.0.0") return;
  report.broken(2, placeOf(version), `${shown(version)} is not "1.0.0"`);
}

/** Reads one of the layout's own files; what is wrong with it breaks point `id`. */
function readFile(contents: Contents, name: string, id: 1 | 4): Part | null {
  const { report } = contents;
  const found = contents.find(name);
  report.looked(id, "files");
  if (found === null) {
    report.broken(id, name, "there is no such file");
    return null;
  }
  if ("problem" in found) {
    report.broken(id, name, found.problem);
    return null;
  }
  if (found.location.length > MAX_DOCUMENT_BYTES) {
    report.broken(id, name, `it has ${found.location.length} bytes, too many for a document`);
    return null;
  }
  const part = readJson(report, name, readDocument(found.location, name));
  if (part === null) report.broken(id, name, "it is not JSON");
  return part;
}

/**
 * Points 5 to 7 and 9: the names below blobs, and the blobs that have not been looked at yet.
 *
 * @param all whether to read blobs that nothing refers to
 */
export function checkBlobs(contents: Contents, all: boolean): void {
  const { report, view, referenced } = contents;
  for (const name of view.names) {
    if (name === VERSION_FILE || name === INDEX_FILE) continue;
    if (!name.startsWith("blobs/")) {
      report.looked(9, "additional files");
      continue;
    }
    const digest = digestOf(name);
    report.looked(6, "names");
    if (digest === null) {
      report.broken(6, name, "the name is not that of a blob, blobs/ALGORITHM/ENCODED");
      continue;
    }
    if (!referenced.has(digest)) report.looked(7, "blobs without a reference");
    if (isSupported(digest) && (all || referenced.has(digest))) verify(contents, digest);
  }
}

/** The digest that a file name of a layout stands for; null if none. */
function digestOf(name: string): Digest | null {
  const [, algorithm, encoded, ...rest] = name.split("/");
  const text = `${algorithm}:${encoded}`;
  if (rest.length > 0 || encoded === undefined || digestProblem(text) !== null) return null;
  return parseDigest(text);
}

function verify(contents: Contents, digest: Digest): void {
  const name = blobName(digest);
  const found = contents.find(name);
  if (found === null) return;
  if ("problem" in found) {
    contents.report.fail(5, name, found.problem);
    return;
  }
  try {
    contents.verifyBlob(digest, found.location, name);
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    contents.report.fail(5, name, error.message);
  }
}
