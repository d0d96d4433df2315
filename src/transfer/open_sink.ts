/**
 * Opens the place that a reference names as a destination.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Reference, storeTag } from "../oci/reference.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import { ImageStore } from "../store/images.ts";
import type { Store } from "../store/store.ts";
import { ArchiveSink } from "./archive_sink.ts";
import { LayoutSink } from "./layout_sink.ts";
import { RegistrySink } from "./registry_sink.ts";
import type { ImageSink } from "./sink.ts";
import { StoreSink } from "./store_sink.ts";

/** What a destination may need. */
export interface SinkPlaces {
  /** The store of bare names, opened; null where the destination needs none. */
  readonly store: Store | null;
  /** Path of the store that the image is in; absent where it comes from elsewhere. */
  readonly from?: string | undefined;
  /** Gives what is known of registries. */
  readonly registry: () => Promise<RegistrySettings>;
  /** What the entry of a layout's index.json gets beside the tag. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Opens a destination. Nothing is written yet.
 *
 * @throws {LayerfsError} `usage` for a reference that cannot be one, `conflict` for an archive that
 * is there already
 */
export function openSink(
  reference: Reference,
  { store, from, registry, annotations }: SinkPlaces,
): ImageSink {
  if (reference.transport !== "docker-archive" && reference.digest !== undefined) {
    throw new LayerfsError(
      "usage",
      `Cannot copy to ${reference.digest}: a digest is what the image has, not what it gets; name ` +
        "the destination by a tag",
      { digest: reference.digest },
    );
  }
  switch (reference.transport) {
    case "oci":
      return new LayoutSink(reference, annotations);
    case "oci-archive":
    case "docker-archive":
      return new ArchiveSink(reference, annotations);
    case "docker":
      return new RegistrySink(reference, registry, from);
    case "store": {
      if (store === null) throw new TypeError("a bare name is that of an image in a store");
      return new StoreSink(new ImageStore(store.path), storeTag(reference));
    }
  }
}
