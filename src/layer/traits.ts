/**
 * What a stack of layers has that a layer on top of it must know of, because Deno cannot see it.
 *
 * @module
 */

/** Traits of a tree. They hold for all layers of a stack together: what a lower one has, all have. */
export interface Traits {
  /** Names or link targets that are not UTF-8. */
  readonly rawNames: boolean;
  /** Directories with times finer than a millisecond. */
  readonly fineTimes: boolean;
  /** Directories with extended attributes. */
  readonly directoryXattrs: boolean;
}

/** Those of an empty tree. */
export const NO_TRAITS: Traits = { rawNames: false, fineTimes: false, directoryXattrs: false };
