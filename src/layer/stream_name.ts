/**
 * What a tar stream is of.
 *
 * @module
 */

export interface StreamName {
  /** By its number in the pipeline, from 0. */
  readonly layer: number;
  /** 0 the first time that the layer is read, 1 the second time. */
  readonly attempt: number;
}
