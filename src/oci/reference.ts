/**
 * Image references: where an image is and which one is meant.
 *
 * | text | transport |
 * |---|---|
 * | `oci:DIR[:TAG\|@DIGEST]` | an image layout |
 * | `oci-archive:FILE[:TAG\|@DIGEST]` | a tar of one |
 * | `docker-archive:FILE[:REPO:TAG]` | what `docker save` writes |
 * | `docker://HOST/REPO[:TAG][@DIGEST]` | a registry |
 * | `NAME[:TAG][@DIGEST]` | the store's own images |
 *
 * As in skopeo, a path ends at its first colon. Its other transports (`dir:` and the like) are
 * refused: each would be a name of an image with a tag.
 *
 * @example
 * ```ts
 * import { parseReference } from "./reference.ts";
 *
 * const reference = parseReference("oci:/srv/images:debian");
 * console.assert(reference.transport === "oci" && reference.tag === "debian");
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_TAG_LENGTH } from "../limits.ts";
import { type Digest, digestProblem } from "./digest.ts";
import { quote } from "./strict_json.ts";

/** A layout or an archive of one; without tag and digest, its only image. */
export interface LayoutReference {
  /** What kind of place it is. */
  readonly transport: "oci" | "oci-archive";
  /** The directory or file. */
  readonly path: string;
  /** The value of an `org.opencontainers.image.ref.name` annotation; it may hold ":" and "/". */
  readonly tag?: string;
  /** Of the manifest or index. */
  readonly digest?: Digest;
}

/** A `docker save` archive; without a name, its only image. */
export interface DockerArchiveReference {
  /** What kind of place it is. */
  readonly transport: "docker-archive";
  /** The directory or file. */
  readonly path: string;
  /** A RepoTags entry in full. */
  readonly name?: ImageName;
}

/** An image in a registry. */
export interface RegistryReference extends ImageName {
  /** What kind of place it is. */
  readonly transport: "docker";
}

/** An image of the store, or of the registry that its name implies. */
export interface StoreReference extends ImageName {
  /** What kind of place it is. */
  readonly transport: "store";
  /** As it was typed, without tag and digest. */
  readonly name: string;
}

/** Where an image is. */
export type Reference =
  | LayoutReference
  | DockerArchiveReference
  | RegistryReference
  | StoreReference;

/** A name by Docker's rules, in full. */
export interface ImageName {
  /** Host and perhaps port of the registry; "docker.io" where the name has none. */
  readonly host: string;
  /** Such as "library/alpine". */
  readonly repository: string;
  /** "latest" where the name has neither tag nor digest. */
  readonly tag?: string;
  /** Of the manifest or index. */
  readonly digest?: Digest;
}

const TAG = new RegExp(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,${MAX_TAG_LENGTH - 1}}$`);
// annotations.md, org.opencontainers.image.ref.name: the characters, not the exact grammar, which
// is a SHOULD.
const REF_NAME = /^[A-Za-z0-9_][A-Za-z0-9._:@+/-]*$/;
// distribution-spec, "Pulling manifests".
const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?$`);

/** Transports of skopeo and podman (containers-transports(5)) that layerfs has not. */
const FOREIGN = /^(?:containers-storage|dir|docker-daemon|ostree|sif|tarball):/;

/** Characters of `HOST/REPO` that clients commonly take (distribution-spec). */
const MAX_NAME_LENGTH = 255;

const MAX_PORT = 65535;

/**
 * Reads an image reference.
 *
 * @throws {LayerfsError} `usage`
 */
export function parseReference(text: string): Reference {
  if (text.startsWith("docker://")) {
    return { transport: "docker", ...readName(text.slice("docker://".length), text).image };
  }
  const transport = /^(oci|oci-archive|docker-archive):/.exec(text)?.[1];
  const rest = text.slice((transport ?? "").length + 1);
  if (transport === "oci" || transport === "oci-archive") {
    return { transport, ...parseLayoutPath(rest, text) };
  }
  if (transport === "docker-archive") return { transport, ...parseArchivePath(rest, text) };
  const foreign = FOREIGN.exec(text)?.[0];
  if (foreign !== undefined) {
    throw wrong(
      text,
      `there is no transport "${foreign}" here, and no image of the store is called so; there are ` +
        "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REPO:TAG], " +
        "docker://HOST/REPO[:TAG] and names of the store",
    );
  }
  const { typed, image } = readName(text, text);
  return { transport: "store", name: typed, ...image };
}

/**
 * Reads `[HOST/]REPO[:TAG][@DIGEST]` and fills in what Docker's rules imply: docker.io, library/ and
 * the tag "latest". Two spellings of one name give equal results.
 *
 * @throws {LayerfsError} `usage`
 */
export function parseImageName(text: string): ImageName {
  return readName(text, text).image;
}

/**
 * A name as people write it, and as a store has it: without "docker.io/" and "library/" where the
 * name means the same without them. Tag and digest are left out.
 *
 * `docker.io/library/alpine` is `alpine`, `docker.io/user/app` is `user/app`.
 */
export function familiarName({ host, repository }: ImageName): string {
  if (host !== "docker.io") return `${host}/${repository}`;
  const short = repository.replace(/^library\/(?=[^/]+$)/, "");
  // "docker.io/localhost/app" would be another image without its host.
  return isHost(short.split("/", 1)[0] ?? "") && short.includes("/") ? `${host}/${short}` : short;
}

/**
 * The tag of an image in a store, in the form that its index.json has: the familiar name and the
 * tag, which is always there. `alpine` and `docker.io/library/alpine:latest` are `alpine:latest`.
 */
export function storeTag(image: ImageName): string {
  return `${familiarName(image)}:${image.tag ?? "latest"}`;
}

/** `HOST/REPO:TAG` in full: the form in which Docker's archives have names. */
export function formatImageName({ host, repository, tag }: ImageName): string {
  return `${host}/${repository}:${tag ?? "latest"}`;
}

/** The name in full, and as it was typed, without tag and digest. */
function readName(text: string, reference: string): { typed: string; image: ImageName } {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : checkDigest(text.slice(at + 1), reference);
  const tagged = at === -1 ? text : text.slice(0, at);
  const colon = tagged.lastIndexOf(":");
  const hasTag = colon > tagged.lastIndexOf("/");
  const typed = hasTag ? tagged.slice(0, colon) : tagged;
  const location = splitHost(typed, reference);
  const tag = hasTag ? tagged.slice(colon + 1) : digest === undefined ? "latest" : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw badTag(tag, reference);
  const image = {
    ...location,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
  return { typed, image };
}

function splitHost(named: string, reference: string): { host: string; repository: string } {
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const hasHost = isHost(first);
  const given = hasHost ? first : "docker.io";
  const host = given === "index.docker.io" ? "docker.io" : given;
  const path = hasHost ? named.slice(slash + 1) : named;
  const repository = host === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  if (host.length + 1 + repository.length > MAX_NAME_LENGTH) {
    throw wrong(reference, `the name is longer than ${MAX_NAME_LENGTH} characters`);
  }
  if (!HOST.test(host) || !REPOSITORY.test(repository)) {
    throw wrong(
      reference,
      `${quote(named)} is no image name, [HOST[:PORT]/]NAME in lowercase; files are named by ` +
        "oci:DIR, oci-archive:FILE or docker-archive:FILE",
    );
  }
  const port = /:(\d+)$/.exec(host)?.[1];
  if (Number(port) > MAX_PORT) throw wrong(reference, `there is no port ${port}`);
  return { host, repository };
}

/** Docker's rule: the first part of a name is a host if nothing else could be meant by it. */
function isHost(first: string): boolean {
  return first === "localhost" || /[.:A-Z]/.test(first);
}

function parseLayoutPath(rest: string, reference: string): Omit<LayoutReference, "transport"> {
  // An "@" may be part of the path: only a registered algorithm after it makes a digest.
  const digestAt = /@(?:sha256|sha512|blake3):[^/]*$/.exec(rest);
  if (digestAt !== null) {
    const path = checkPath(rest.slice(0, digestAt.index), reference);
    if (path.includes(":")) throw wrong(reference, "it has a tag and a digest; give one of them");
    return { path, digest: checkDigest(digestAt[0].slice(1), reference) };
  }
  const colon = rest.indexOf(":");
  if (colon === -1) return { path: checkPath(rest, reference) };
  const path = checkPath(rest.slice(0, colon), reference);
  const tag = rest.slice(colon + 1);
  const limit = /[:/@]/.test(tag) ? MAX_NAME_LENGTH + 1 + MAX_TAG_LENGTH : MAX_TAG_LENGTH;
  if (!REF_NAME.test(tag) || tag.length > limit) throw badTag(tag, reference);
  return { path, tag };
}

function parseArchivePath(
  rest: string,
  reference: string,
): Omit<DockerArchiveReference, "transport"> {
  const colon = rest.indexOf(":");
  if (colon === -1) return { path: checkPath(rest, reference) };
  const name = readName(rest.slice(colon + 1), reference).image;
  if (name.digest !== undefined) {
    throw wrong(reference, "images in a docker-archive have no digests; name one by REPO:TAG");
  }
  return { path: checkPath(rest.slice(0, colon), reference), name };
}

function checkPath(path: string, reference: string): string {
  if (path === "") throw wrong(reference, "the path is missing");
  if (path.includes("\0")) throw wrong(reference, "the path has a NUL byte");
  return path;
}

function checkDigest(text: string, reference: string): Digest {
  const expected = digestProblem(text);
  if (expected === null) return text as Digest;
  throw wrong(reference, `${quote(text)} is not ${expected}`);
}

function badTag(tag: string, reference: string): LayerfsError {
  const form = `1 to ${MAX_TAG_LENGTH} letters, digits, ".", "_" and "-"`;
  return wrong(reference, `the tag ${quote(tag)} is not ${form}`);
}

function wrong(reference: string, state: string): LayerfsError {
  return new LayerfsError("usage", `Cannot read image reference ${quote(reference)}: ${state}`, {
    reference,
  });
}
