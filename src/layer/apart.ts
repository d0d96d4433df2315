/**
 * A layer that is unpacked apart from those below it, while they are still being unpacked, into a
 * directory of its own; merge_layer.ts puts it on top of them afterwards.
 *
 * What comes of that must be what would have come of applying it in its turn. So whatever depends on
 * the layers below, and cannot be noted down for later, throws {@linkcode NeedsLower}: the layer is
 * read a second time then, when they are there. That is rare in images that are built, and as it is
 * done for every failure, errors are those of layers that are applied in their order.
 *
 * @module
 */

/** Thrown where a layer cannot be unpacked apart. The message says what of it cannot. */
export class NeedsLower extends Error {}

/** What such a layer says of those below it. */
export class ApartNotes {
  /** Whiteouts: what is hidden, or with `children` only what is in it. They come before all else. */
  readonly hidden: { readonly path: string; readonly children: boolean }[] = [];
  /** Directories whose entries come behind entries for something in them. */
  readonly late = new Set<string>();
}
