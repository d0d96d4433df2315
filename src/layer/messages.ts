/**
 * What the threads that apply layers are told, and what they say: plain data, sent between threads.
 *
 * @module
 */

import type { BlobLocation } from "../blob/location.ts";
import type { DigestEngine } from "../core/hasher.ts";
import { type ErrorCode, type ErrorData, LayerfsError } from "../errors.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import type { Bell, SharedBoard } from "./board.ts";
import type { SharedOutcome, Spool } from "./extractor.ts";
import type { LayerDigests } from "./layer_source.ts";
import type { ReadResult } from "./read_layer.ts";
import type { SharedRing } from "./ring.ts";
import type { StreamName } from "./stream_name.ts";
import type { Traits } from "./traits.ts";

/** A layer for the thread that decompresses: its blob is in a file, or comes through a ring. */
export interface InflateLayer extends LayerDigests {
  readonly blob: BlobLocation | { readonly ring: SharedRing; readonly length: number };
  /** Whether another thread computes the digest of its blob. */
  readonly isDigestedElsewhere: boolean;
}

/** The work of a thread that reads and decompresses. */
export interface InflateRequest {
  readonly board: SharedBoard;
  readonly bell: Bell;
  readonly layers: readonly InflateLayer[];
  /** Where its tar streams go. */
  readonly rings: readonly SharedRing[];
  /** Whether layers may be unpacked apart, those that the board says. */
  readonly isApart: boolean;
  readonly engine: DigestEngine;
  /** Whether it computes the diffIDs as well. */
  readonly isAlone: boolean;
}

/**
 * What that thread says, of layers by their index in the request: `result` is null where nobody
 * wanted the layer, `error` where its blob comes through a ring that is broken, which whoever fills
 * it tells of. After a failure comes the next layer: somebody else may have made the one that failed.
 */
export type InflateMessage =
  | ({ readonly type: "bytes"; readonly delta: number } & StreamName)
  | ({
    readonly type: "read";
    readonly result: ReadResult | null;
    /** Null where somebody else computes it, or nobody. */
    readonly diffId: Digest | null;
  } & StreamName)
  | ({ readonly type: "failed"; readonly error: SentError | null } & StreamName);

/** A blob in a file, for the thread that computes digests. */
export interface BlobToDigest {
  readonly layer: number;
  readonly blob: BlobLocation;
  readonly algorithm: DigestAlgorithm;
}

/** The work of that thread: the tar streams in the rings, and these blobs. */
export interface DigestRequest {
  readonly board: SharedBoard;
  readonly rings: readonly SharedRing[];
  /** For each layer, of its tar stream; null where that needs no digest. */
  readonly algorithms: readonly (DigestAlgorithm | null)[];
  /** In the order in which they are to be begun. */
  readonly blobs: readonly BlobToDigest[];
  readonly engine: DigestEngine;
  /** Where the rings lie, so that SHA-256 needs no copy (see lane_memory.ts); null for elsewhere. */
  readonly memory: WebAssembly.Memory | null;
}

/** What that thread says: of a tar stream null where that did not come to its end. */
export type DigestMessage =
  | ({ readonly of: "tar"; readonly digest: Digest | null } & StreamName)
  | { readonly of: "blob"; readonly layer: number; readonly digest: Digest }
  | { readonly of: "blob"; readonly layer: number; readonly error: SentError };

/** A layer for the thread that writes. */
export interface WriteLayer {
  /** Absolute path of a new file for its skeleton (see skeleton.ts); null for none. */
  readonly skeleton: string | null;
  /** Whether there is a digest to be verified, of its blob or of its stream. */
  readonly hasDigest: boolean;
}

/** Layers that make one tree, the base first. */
export interface TreeJob {
  /** The root filesystem: an existing directory, empty or with the layers below. Absolute. */
  readonly root: string;
  /** A directory for a spool file. Absolute. */
  readonly scratch: string;
  /** Whether owners can be set and devices made. */
  readonly asRoot: boolean;
  /** Of the layers in the root already; NO_TRAITS where there are none. */
  readonly traits: Traits;
  /**
   * Whether there are layers in the root already. Where it is absent, whether there is anything: so
   * only layers that left the root empty need it, for that to keep its attributes.
   */
  readonly onTop?: boolean;
  /** Whether the root is a copy of the tree that the same pipeline has made last, unchanged. */
  readonly follows?: boolean;
  /**
   * Whether it must be able to say all of itself, for layers that are unpacked apart, whatever it
   * takes to know that. Where it is absent, it says what it knows anyway.
   */
  readonly tells?: boolean;
  /**
   * The layer was unpacked apart, and the root is an overlay with what it consists of: the upper
   * directory, absolute.
   */
  readonly own?: string;
}

/** Where layers may be unpacked apart from those below them. */
export interface ApartPlace {
  /** A directory of our own. Absolute. */
  readonly scratch: string;
  /** As {@linkcode TreeJob.asRoot}. */
  readonly asRoot: boolean;
  /** Whether each of them gets a skeleton (see skeleton.ts). */
  readonly hasSkeletons: boolean;
}

/** How layers may be unpacked apart. */
export interface ApartOptions extends ApartPlace {
  /** Whether all of them make one tree; otherwise each makes one of its own. */
  readonly isOneTree: boolean;
}

/** A layer that was unpacked apart. */
export interface OwnFiles {
  /** The directory with all that it consists of, complete but for the attributes of directories. */
  readonly root: string;
  readonly skeleton: string | null;
}

/** What the thread that writes works with. */
export interface WriteSetup {
  readonly board: SharedBoard;
  /** The rings of the tar streams. */
  readonly rings: readonly SharedRing[];
  /** Where the main thread tells what became of the spools that it is asked to extract. */
  readonly outcome: SharedOutcome;
  /** Where layers may be unpacked apart; null for nowhere. */
  readonly apart: ApartPlace | null;
}

/** A tree that it is to make. */
export interface TreeRequest {
  readonly job: TreeJob;
  /** Whether no directory gives what is made in it a default access control list. */
  readonly isPlain: boolean;
  /** The base first. */
  readonly layers: readonly WriteLayer[];
}

/**
 * What that thread is to do next: a tree of the next layers, or to leave the next one out, or to hand
 * over its own files, or to end. The board is to say that there is such a message.
 */
export type WriteRequest =
  | ({ readonly type: "begin" } & WriteSetup)
  | ({ readonly type: "tree" } & TreeRequest)
  | { readonly type: "skip" }
  /** Says as well whether the layer {@linkcode TreeJob.follows} the last tree. */
  | { readonly type: "own"; readonly follows: boolean }
  /** Nothing more is asked for. */
  | { readonly type: "end" };

/** A tree that is made. */
export interface TreeResult {
  /** What could not be kept, for people to read. */
  readonly warnings: readonly string[];
  /** Of all layers that are in the root now. */
  readonly traits: Traits;
}

/** What that thread says of a tree. The last one is "done" or "failed". */
export type WriteMessage =
  | { readonly type: "extract"; readonly spool: Spool }
  /** One more layer, by its number in the pipeline, is in the tree. */
  | { readonly type: "layer"; readonly layer: number }
  /** That layer will be read a second time, which counts instead of the first. */
  | { readonly type: "again"; readonly layer: number }
  /** Null where the layer is to be applied in its turn. */
  | { readonly type: "own"; readonly own: OwnFiles | null }
  | { readonly type: "done"; readonly result: TreeResult }
  /**
   * The layer is the one in hand, by its number in the pipeline; `error` is null where its stream is
   * broken or a spool failed: others know why.
   */
  | { readonly type: "failed"; readonly layer: number; readonly error: SentError | null }
  /** It does nothing any more. */
  | { readonly type: "ended" };

/** Whether damage of the blob may have led to this error. */
export function isAboutContent(error: unknown): boolean {
  return error instanceof LayerfsError && error.code === "image-invalid";
}

/** Whether this error says that the work was ended, by a cancelled ring as a rule. */
export function isInterruption(error: unknown): boolean {
  return error instanceof LayerfsError && error.code === "interrupted";
}

/** An error on its way between threads, which keep only an Error's message otherwise. */
export type SentError =
  | { readonly kind: "layerfs"; readonly code: ErrorCode; message: string; data: ErrorData }
  | { readonly kind: "permission"; readonly message: string }
  | { readonly kind: "other"; readonly message: string; readonly stack: string };

/** The form in which an error can be sent. */
export function sendable(error: unknown): SentError {
  if (error instanceof LayerfsError) {
    const { code, message, data } = error;
    return { kind: "layerfs", code, message, data };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof Deno.errors.NotCapable) return { kind: "permission", message };
  return { kind: "other", message, stack: stack ?? "" };
}

/** The error that was sent. */
export function received(error: SentError): Error {
  if (error.kind === "layerfs") return new LayerfsError(error.code, error.message, error.data);
  if (error.kind === "permission") return new Deno.errors.NotCapable(error.message);
  const other = new Error(error.message);
  other.stack = error.stack;
  return other;
}
