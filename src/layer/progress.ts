/**
 * What a long work tells of itself while it goes on.
 *
 * @module
 */

/** A step of applying layers. Bytes are those of the blobs, compressed as they are. */
export type ProgressEvent =
  | { readonly type: "start"; readonly layers: number; readonly bytes: number }
  | { readonly type: "bytes"; readonly layer: number; readonly delta: number }
  | { readonly type: "layer"; readonly layer: number }
  | { readonly type: "end" };

/** Takes the steps as they come; must not throw. */
export type ProgressListener = (event: ProgressEvent) => void;
