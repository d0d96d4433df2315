/**
 * Opens the source that a reference names.
 *
 * @example
 * ```ts ignore
 * import { parseReference } from "../oci/reference.ts";
 * import { openSource } from "./open.ts";
 *
 * using source = openSource(parseReference("oci:images:debian"));
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Reference } from "../oci/reference.ts";
import { Archive } from "./archive.ts";
import { DockerArchiveSource } from "./docker_archive.ts";
import { LayoutDirectory } from "./layout_directory.ts";
import { LayoutSource } from "./layout_source.ts";
import type { ImageSource } from "./source.ts";
import { StoreSource } from "./store_source.ts";

/** Where references lead that are no paths. */
export interface SourcePlaces {
  /** Path of the store in which bare names are looked up; without it there are none. */
  readonly store?: string;
}

/**
 * Opens a layout directory, an archive, or the images of a store.
 *
 * @throws {LayerfsError} `not-found`, `image-invalid` or `unsupported`; `not-found` for images of
 * registries, which are not read from here
 */
export function openSource(reference: Reference, { store }: SourcePlaces = {}): ImageSource {
  if (reference.transport === "store" && store !== undefined) {
    return new StoreSource(store, reference);
  }
  switch (reference.transport) {
    case "oci":
      return new LayoutSource(new LayoutDirectory(reference.path), reference);
    case "oci-archive":
      return new LayoutSource(new Archive(reference.path), reference);
    case "docker-archive":
      return new DockerArchiveSource(new Archive(reference.path), reference);
    case "docker":
    case "store": {
      const { host, repository, tag, digest } = reference;
      const version = digest === undefined ? `:${tag}` : `@${digest}`;
      const name = `docker://${host}/${repository}${version}`;
      throw new LayerfsError(
        "not-found",
        `Cannot open image "${name}": images are read from oci:DIR, oci-archive:FILE and ` +
          `docker-archive:FILE; copy it first: skopeo copy ${name} oci:DIR:TAG`,
        { reference: name },
      );
    }
  }
}
