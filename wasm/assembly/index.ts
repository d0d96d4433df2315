/*
 * The exports of layerfs.wasm. One instance is one stream: a hasher, or a tar scanner with its hasher.
 */

import { HOST_PATH } from "./memory";
import { seenFind as find, seenInsert as insert } from "./seen";

export {
  errorCode, errorNameLength, errorNamePointer, errorOffset, errorTextLength, errorTextPointer,
} from "./errors";
export { hashFinish, hashInit, hashUpdate } from "./hash";
export {
  scanContents, scanEnd, scanFeed, scanInit, scanNext, scanSkip, scanSkippable,
} from "./scanner";
export { seenMark } from "./seen";

/** Node of the normalised path that the host put into HOST_PATH; 0 when memory is exhausted. */
export function seenInsert(length: u32): usize {
  return insert(HOST_PATH, length);
}

/** State of the normalised path that the host put into HOST_PATH. */
export function seenFind(length: u32): u32 {
  return find(HOST_PATH, length);
}
