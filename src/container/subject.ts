/**
 * What an operand of `mount`, `unmount` and `inspect` means: a layer, a container or an image.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Digest, digestProblem } from "../oci/digest.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import { type ResolvedImage, resolveImage } from "../source/image.ts";
import type { SourcePlaces } from "../source/open.ts";
import { type Container, findContainer } from "./containers.ts";

/** A digest, or what is meant to be one: no image may be called "sha256". */
const DIGEST = /^sha(?:256|512):/;

/** What was found. */
export type Subject =
  /** Whether there is such a layer is for the caller to see. */
  | { readonly kind: "layer"; readonly chainId: Digest }
  | { readonly kind: "container"; readonly container: Container }
  | { readonly kind: "image"; readonly image: ResolvedImage };

/** Where to look. */
export interface SubjectOptions extends Pick<SourcePlaces, "registry"> {
  /** Path of the store; there need not be one. */
  readonly store: string;
  /** Platform of an image; the host's where it is absent. */
  readonly platform?: string;
}

/**
 * Finds what `subject` names: a ChainID is a layer, a reference with a transport an image; anything
 * else names a container, else an image of the store. Changes nothing, and makes no store.
 *
 * @throws {LayerfsError} `not-found`, `usage`, or what is wrong with the image
 */
export async function findSubject(
  { store, platform, registry }: SubjectOptions,
  subject: string,
): Promise<Subject> {
  const chainId = readDigest(subject);
  if (chainId !== null) return { kind: "layer", chainId };
  const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
  if (!isName(subject)) {
    return { kind: "image", image: await resolveImage(subject, wanted, { registry }) };
  }
  const container = findContainer(store, subject);
  if (container !== null) return { kind: "container", container };
  try {
    // Of the store only: what is no container is a mistake more often than an image elsewhere.
    return { kind: "image", image: await resolveImage(subject, wanted, { store, pull: "never" }) };
  } catch (error) {
    if (!(error instanceof LayerfsError) || error.code !== "not-found") throw error;
    throw new LayerfsError(
      "not-found",
      `Cannot find "${subject}": the store "${store}" has no container and no image of that name; ` +
        "see layerfs ps and layerfs images",
      { subject },
      { cause: error },
    );
  }
}

/**
 * Whether `subject` names something of the store: whatever has a transport is an image elsewhere.
 *
 * @throws {LayerfsError} `usage`
 */
export function isName(subject: string): boolean {
  return !subject.includes(":") || DIGEST.test(subject) ||
    parseReference(subject).transport === "store";
}

/**
 * The digest that a user typed; null for what is meant to be a name.
 *
 * @throws {LayerfsError} `usage` for a malformed one
 */
export function readDigest(typed: string): Digest | null {
  if (!DIGEST.test(typed)) return null;
  const expected = digestProblem(typed);
  if (expected === null) return typed as Digest;
  throw new LayerfsError("usage", `Cannot use "${typed}": it is not ${expected}`, {
    digest: typed,
  });
}
