/**
 * Opens the source that a reference names.
 *
 * @example
 * ```ts ignore
 * import { parseReference } from "../oci/reference.ts";
 * import { openSource } from "./open.ts";
 *
 * await using source = await openSource(parseReference("oci:images:debian"));
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type ImageName, type Reference, type StoreReference, storeTag } from "../oci/reference.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import type { Archive } from "./archive.ts";
import { LayoutDirectory } from "./layout_directory.ts";
import { blobName } from "./layout_files.ts";
import { LayoutSource } from "./layout_source.ts";
import { NameSource, type PullPolicy } from "./name_source.ts";
import type { FindStored, RegistrySource } from "./registry_source.ts";
import type { DescriptorSource, ImageSource } from "./source.ts";
import type { StoreSource } from "./store_source.ts";

/** Where references lead that are no paths. */
export interface SourcePlaces {
  /**
   * Path of the store in which bare names are looked up, and blobs that a registry need not send;
   * without it there are none.
   */
  readonly store?: string;
  /**
   * Gives what is known of registries; asked for only where one is reached. Without it, bare names
   * mean images of the store only, and `docker://` is read as anybody may.
   */
  readonly registry?: () => Promise<RegistrySettings>;
  /** When the registry is asked that a bare name implies; "missing" where it is absent. */
  readonly pull?: PullPolicy;
}

/** Registries as they are known to somebody without a home and an account. */
export const ANONYMOUS = async (): Promise<RegistrySettings> => {
  const { loadRegistrySettings }: typeof import("../registry/settings.ts") = await import(
    import.meta.resolve("../registry/settings.ts")
  );
  return await loadRegistrySettings({}, new Map());
};

/**
 * Opens a layout directory, an archive, an image of a registry, or one of a store. Registries are
 * not asked yet.
 *
 * @throws {LayerfsError} `not-found`, `image-invalid` or `unsupported`
 */
export async function openSource(
  reference: Reference,
  places: SourcePlaces = {},
): Promise<ImageSource> {
  switch (reference.transport) {
    case "oci":
      return new LayoutSource(new LayoutDirectory(reference.path), reference);
    case "oci-archive":
      return new LayoutSource(await openArchive(reference.path), reference);
    case "docker-archive": {
      const { DockerArchiveSource }: typeof import("./docker_archive.ts") = await import(
        import.meta.resolve("./docker_archive.ts")
      );
      return new DockerArchiveSource(await openArchive(reference.path), reference);
    }
    case "docker":
      return await openRegistry(reference, places.registry ?? ANONYMOUS, places.store);
    case "store":
      return openName(reference, places);
  }
}

function openName(
  reference: StoreReference,
  { store, registry, pull = "missing" }: SourcePlaces,
): DescriptorSource {
  const stored = store === undefined || pull === "always"
    ? []
    : [() => openStored(store, reference)];
  const remote = pull === "never" || registry === undefined
    ? []
    : [() => openRegistry(reference, registry, store)];
  const [first, ...others] = [...stored, ...remote];
  if (first !== undefined) return new NameSource(storeTag(reference), [first, ...others]);
  const name = storeTag(reference);
  throw new LayerfsError(
    "not-found",
    `Cannot open image "${name}": a bare name is looked up in a store, or in the registry that it ` +
      "implies, and there is neither here; name it as docker://HOST/NAME or oci:DIR",
    { reference: name },
  );
}

async function openArchive(path: string): Promise<Archive> {
  const { Archive }: typeof import("./archive.ts") = await import(
    import.meta.resolve("./archive.ts")
  );
  return new Archive(path);
}

async function openRegistry(
  image: ImageName,
  settings: () => Promise<RegistrySettings>,
  store: string | undefined,
): Promise<RegistrySource> {
  const { RegistrySource }: typeof import("./registry_source.ts") = await import(
    import.meta.resolve("./registry_source.ts")
  );
  return new RegistrySource(image, settings, storedIn(store));
}

async function openStored(store: string, image: ImageName): Promise<StoreSource> {
  const { StoreSource }: typeof import("./store_source.ts") = await import(
    import.meta.resolve("./store_source.ts")
  );
  return new StoreSource(store, image);
}

/** Finds blobs in a store. One of the right size is the right one: it was verified when it came. */
function storedIn(store: string | undefined): FindStored {
  return ({ digest, size }) => {
    try {
      const found = store === undefined
        ? null
        : new LayoutDirectory(store).locate(blobName(digest));
      return found?.length === size ? found : null;
    } catch (error) {
      if (error instanceof LayerfsError && error.code === "not-found") return null; // no store
      throw error;
    }
  };
}
